"""Mutants of the arithmetic between loss and optimizer in installed packages, made in memory, never on disk."""
