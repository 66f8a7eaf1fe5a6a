"""What the source of a user's program says, without running it: its flags, its files, how it uses processes."""
