"""What can be done with a Job. A verb is one class: its rule, deed, preview, options, words and permission.

``base`` says what a verb is; the engine's own are a file or two; ``registry`` holds them all, a project's own included.
"""
