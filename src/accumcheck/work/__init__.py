"""The worker's side of a run: what one process of a job does."""
