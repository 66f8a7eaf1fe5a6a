"""One file for each report format: how a document is written in it. A new file with a `FORMAT` is a new format."""
