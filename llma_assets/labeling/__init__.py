"""Pure: names for clusters, and the evidence they rest on."""
