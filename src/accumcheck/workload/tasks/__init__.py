"""What models are trained for: one file for each task, listed by `accumcheck.workload.tasks.registry`."""
