"""One file per asset, named after it: what exists and what it depends on."""
