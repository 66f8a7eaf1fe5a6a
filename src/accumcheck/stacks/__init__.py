"""The software under test: one file for each stack, listed by `accumcheck.stacks.registry`."""
