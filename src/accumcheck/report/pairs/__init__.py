"""The JSON of two reports beside each other."""
