"""Detectors: one file each, each looks at a read-only view of the run and yields what it found, with its finding."""
