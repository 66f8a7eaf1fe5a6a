"""The JSON of two reports that are compared."""
