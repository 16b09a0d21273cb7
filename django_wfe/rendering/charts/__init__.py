"""Numbers as pictures: geometry for SVG, with a table beside it."""
