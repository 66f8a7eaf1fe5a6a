"""``python -m accumcheck`` is the command ``accumcheck``."""

import sys

from accumcheck.cli import main

if __name__ == "__main__":
    sys.exit(main())
