"""Which names clusters and themes keep from the run before, and which are asked for."""
