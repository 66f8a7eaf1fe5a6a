"""What an optimizer step does, while every step begins with the same weights."""
