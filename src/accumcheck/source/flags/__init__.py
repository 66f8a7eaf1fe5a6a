"""The flags of a program's command line, one file for each way in which programs declare them."""
