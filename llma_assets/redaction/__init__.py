"""Takes secrets and personal data out of texts. Pure."""
