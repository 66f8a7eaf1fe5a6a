"""Published faults of released software, kept as data (``faults.yaml``), and their matching with findings."""
