"""Published faults of released software, kept as data (``faults.yaml``), and which of them a finding is."""
