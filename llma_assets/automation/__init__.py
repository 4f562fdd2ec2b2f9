"""What starts runs: the discovery sensor and the schedules."""
