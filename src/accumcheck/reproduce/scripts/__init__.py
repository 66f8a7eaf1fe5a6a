"""The scripts that show a fault: one file per stack, and the parts that they share."""
