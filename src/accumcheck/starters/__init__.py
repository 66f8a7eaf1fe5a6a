"""Configurations to start from, as text with comments: what ``accumcheck init`` writes."""
