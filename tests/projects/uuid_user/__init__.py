"""A project with a user model of its own, whose key is a UUID and whose name is an e-mail address."""
