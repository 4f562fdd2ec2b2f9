"""Pure: what a summary is, and how one is made without a model."""
