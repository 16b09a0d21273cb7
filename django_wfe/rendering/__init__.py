"""Pictures of workflows and jobs: view-models without HTML, and the templates that draw them."""
