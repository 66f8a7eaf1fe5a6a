"""Reads the source of a user's program without running it: its flags, its files and its use of processes."""
