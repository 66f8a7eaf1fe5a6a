"""One check under several transformers releases: two beside each other, or a search for the one that changed it."""
