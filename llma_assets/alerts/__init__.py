"""Telling findings to somebody: over the network, once, with a record of what became of it."""
