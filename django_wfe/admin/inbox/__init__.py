"""The inbox, and the page on which a question is answered."""
