"""What a backfill would take, before it is begun."""
