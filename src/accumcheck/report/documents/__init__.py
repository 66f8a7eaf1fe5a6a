"""One file per subject of a report, as blocks that every format can write."""
