"""Pure: vectors in, clusters out."""
