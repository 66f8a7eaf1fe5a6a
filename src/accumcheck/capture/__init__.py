"""What is observed inside a worker, at torch's seams."""
