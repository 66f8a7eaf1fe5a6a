"""Detectors, one per file: each examines a read-only view of the run and yields findings."""
