"""Starter configurations, as text with comments: the output of ``accumcheck init``."""
