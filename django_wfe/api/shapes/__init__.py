"""The shapes of what comes in and goes out, and their description in OpenAPI."""
