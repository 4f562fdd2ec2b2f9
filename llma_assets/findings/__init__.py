"""Pure: what of a clustering run somebody should be told."""
