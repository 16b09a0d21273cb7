"""A step gives its thread back as it got it: database sessions, context variables, interrupts."""
