"""The rows that a model is fed, and how they are identified."""
