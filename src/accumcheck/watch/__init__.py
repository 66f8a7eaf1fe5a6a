"""`accumcheck watch`: a check that is run again whenever one of its files changes, with the imports kept."""
