"""What a row that a model is fed is, and how it is known again."""
