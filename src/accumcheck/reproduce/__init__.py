"""Turn a finding into a script that shows it with the smallest model, batch and split, and without accumcheck."""
