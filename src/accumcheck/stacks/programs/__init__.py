"""A training program of the user's as the stack: run as it is, under settings of ours, and watched."""
