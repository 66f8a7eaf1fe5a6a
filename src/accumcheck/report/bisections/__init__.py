"""The JSON of a search over releases."""
