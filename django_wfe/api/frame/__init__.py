"""What all calls share: authentication, permissions, errors, parsing, bounds."""
