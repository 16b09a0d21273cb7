"""What ``manage.py wfe_job`` does, one module a concern; the command itself only hands on."""
