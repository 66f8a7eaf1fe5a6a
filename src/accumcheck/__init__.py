"""accumcheck: does every split of a global batch give the same loss and the same gradient?"""

__version__ = "0.1.0"
