"""Isolated environments: other releases of the software under test, layered over the environment accumcheck runs in.

`parse_request` reads what the user named, `environments` lends the interpreters, `published_versions` lists what there
is to choose from. Nothing here imports torch or transformers.
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
