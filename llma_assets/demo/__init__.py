"""The demo and the small real data it ships."""
