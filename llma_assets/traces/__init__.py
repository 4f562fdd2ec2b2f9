"""Pure: events of a trace, its tree, its text, its sample."""
