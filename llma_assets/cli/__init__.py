"""The llma command."""
