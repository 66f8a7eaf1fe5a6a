"""One file for each subject of a report: what is said of it, in blocks that every format can write."""
