"""From a finding to a script that shows it: the smallest model, batch and split, with no accumcheck in it."""
