"""Asset checks: what stops a run, and what a person should look at."""
