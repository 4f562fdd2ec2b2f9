"""What leaves the lake as a file: which rows, in which format, and where it may be put."""
