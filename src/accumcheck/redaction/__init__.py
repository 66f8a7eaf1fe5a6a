"""Hides secrets in all output: reports in each format, messages, progress, tracebacks.

`redacted` is for records, before any format sees them; `redacted_text` for a message; `redacted_streams` for
everything that a process prints. A value is hidden because of its name, the flag before it, its shape, or because it
is the value of an environment variable with a secret's name. SECURITY.md has the list.
"""

from accumcheck.redaction.names import HIDDEN
from accumcheck.redaction.records import redacted
from accumcheck.redaction.streams import redacted_streams
from accumcheck.redaction.texts import redacted_text

__all__ = ["HIDDEN", "redacted", "redacted_streams", "redacted_text"]
