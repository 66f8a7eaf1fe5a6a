"""One file per report format. A new file with a `FORMAT` is a new format."""
