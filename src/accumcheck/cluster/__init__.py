"""Job files for several machines: what starts the same `accumcheck run` on each of them under a scheduler."""
