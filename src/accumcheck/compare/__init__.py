"""One check under several releases: a comparison of two releases, or a search for the release that changed it."""
