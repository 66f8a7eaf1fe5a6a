"""accumcheck: does every split of a global batch give the same loss and the same gradient?"""

from accumcheck.loops import report_loss

__version__ = "0.1.0"

__all__ = ["__version__", "report_loss"]
