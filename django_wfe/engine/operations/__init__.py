"""What people and programs do with Jobs: start, answer, and the operator verbs."""
