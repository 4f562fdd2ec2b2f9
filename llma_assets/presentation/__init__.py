"""What people look at: pictures and Markdown, with everything hostile made inert."""
