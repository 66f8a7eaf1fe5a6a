"""A survey: every head class of a transformers release, each checked by itself at a tiny size."""
