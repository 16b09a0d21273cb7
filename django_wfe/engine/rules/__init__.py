"""When something may be done with a Job or a Workflow, and what stands in the way."""
