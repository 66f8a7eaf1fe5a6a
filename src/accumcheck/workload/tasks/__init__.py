"""The tasks that models are trained for. Each has one file; `accumcheck.workload.tasks.registry` lists them."""
