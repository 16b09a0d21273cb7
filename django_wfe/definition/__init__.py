"""What a declared workflow is: its graph, its schemas, and what is wrong with them. Plain Python."""
