"""Isolated environments with other releases of the software under test, on top of accumcheck's own environment.

`parse_request` reads which releases the user asked for, `environments` lends the interpreters, and `published_versions`
lists the published releases. Nothing here imports torch or transformers.
"""

from accumcheck.environments.index import UnreachableError, latest, published_versions
from accumcheck.environments.lend import environments
from accumcheck.environments.request import Pin, Request, parse_request
from accumcheck.environments.wheels import build_wheel

__all__ = [
    "Pin",
    "Request",
    "UnreachableError",
    "build_wheel",
    "environments",
    "latest",
    "parse_request",
    "published_versions",
]
