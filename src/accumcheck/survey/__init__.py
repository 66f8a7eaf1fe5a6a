"""The survey: check every head class of a transformers release at a tiny size."""
