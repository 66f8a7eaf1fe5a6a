"""The Trainer in which selftest plants faults: one row for each fault, and the code that plants it."""
