"""The product's own proof: faults planted in the stack must be caught and named, and clean runs must pass."""
