"""The flags of a program's command line: one file per way to declare them."""
