"""The scripts that show a fault: one file for each stack, and what they share."""
