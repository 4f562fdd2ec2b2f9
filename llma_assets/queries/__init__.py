"""Questions to the lake: SQL views and statements, search by meaning, export."""
