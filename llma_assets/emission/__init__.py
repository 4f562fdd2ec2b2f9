"""Pure: the events that we write, their ids and metrics."""
