"""What a stage tells of its work: while it goes on, and when it is done."""
