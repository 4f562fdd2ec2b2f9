"""What an analyst opens: a page of one team and day, and the data in it."""
