"""Right runs of many kinds, drawn at random but the same each time."""
