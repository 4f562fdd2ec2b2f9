"""Text in, vectors out: the embedders that run on this machine."""
