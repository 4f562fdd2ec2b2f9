"""What several stages, checks and sensors read back from the lake: a clustering run, its lineage, its coverage."""
