"""The Trainer in which selftest plants faults: one row for each fault, and what puts it there."""
