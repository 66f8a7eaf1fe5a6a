"""Run the user's own optimizer steps and observe them, although every step starts from the same weights."""
