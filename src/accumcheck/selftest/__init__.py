"""The self-test: planted faults must be caught and named, and clean runs must pass."""
