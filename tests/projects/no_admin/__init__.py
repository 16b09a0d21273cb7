"""A project of the engine and the REST API alone: without the admin, sessions, messages and static files."""
