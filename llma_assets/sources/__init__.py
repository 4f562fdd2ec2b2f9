"""Where trace events come from: the interface of a source, and each source in a file of its own."""
