"""Reading the project's documents, catalogues and archives as their readers do."""
