"""One file for each subject of a report, as blocks that every format can write."""
