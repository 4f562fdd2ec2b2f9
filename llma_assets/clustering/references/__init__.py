"""Methods of others, kept for comparison: k-means and UMAP with HDBSCAN."""
