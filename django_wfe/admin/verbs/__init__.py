"""The pages of operator verbs: on a Job, and on a whole Workflow."""
