"""SARIF 2.1.0, for code scanning: each finding is a result at the configuration's line, each kind of finding a rule.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html; what GitHub reads of it:
https://docs.github.com/code-security/code-scanning/integrating-with-code-scanning/sarif-support-for-code-scanning
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from accumcheck import __version__
from accumcheck.report.escapes import clean
from accumcheck.report.format import Format

if TYPE_CHECKING:
    from accumcheck.report.document import Annotation, Document

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
"""The schema that the text satisfies."""
DECIDED = (0, 1)
"""The exit codes of a run with a verdict."""

JSON = dict[str, Any]

_WORST = ("error", "warning", "note")


def text(document: Document) -> str:
    """One log with one run, ASCII only."""
    found = document.annotations()
    rules: dict[str, list[Annotation]] = {}
    for one in found:
        rules.setdefault(one.rule, []).append(one)
    ids = list(rules)
    driver = {"name": "accumcheck", "version": __version__, "rules": [_rule(alike) for alike in rules.values()]}
    run: JSON = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"accumcheck/{_address(document.subtitle or document.title)}/"},
        "invocations": [_invocation(document)],
        "results": [_result(one, ids.index(one.rule)) for one in found],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _rule(alike: Sequence[Annotation]) -> JSON:
    """The rule of all results of one kind, described by the first of them."""
    first = alike[0]
    meaning = clean(first.meaning) or first.rule
    short, *_ = meaning.split("\n")
    rule: JSON = {
        "id": first.rule,
        "shortDescription": {"text": short},
        "fullDescription": {"text": meaning},
        "help": {"text": meaning},
        "defaultConfiguration": {"level": min((one.level for one in alike), key=_WORST.index)},
    }
    if first.url.startswith(("https://", "http://")):
        rule["helpUri"] = quote(first.url, safe=":/?#[]@!$&'()*+,;=%~._-")
    return rule


def _result(annotation: Annotation, rule_index: int) -> JSON:
    result: JSON = {
        "ruleId": annotation.rule,
        "ruleIndex": rule_index,
        "level": annotation.level,
        "message": {"text": clean(annotation.message) or annotation.title},
    }
    if annotation.file:
        place: JSON = {"artifactLocation": {"uri": _address(annotation.file)}}
        if annotation.line:
            place["region"] = {"startLine": annotation.line}
        result["locations"] = [{"physicalLocation": place}]
    return result


def _invocation(document: Document) -> JSON:
    """Whether the run has a verdict: without one, an empty list of results does not mean that nothing is wrong."""
    return {
        "executionSuccessful": document.exit_code in DECIDED,
        "exitCode": document.exit_code,
        "exitCodeDescription": clean(str(document.conclusion())),
    }


def _address(path: str) -> str:
    """A file as a URI; relative to the repository's root if the path is relative and stays inside."""
    if Path(path).is_absolute() or ".." in Path(path).parts:
        return Path(path).resolve().as_uri()
    return quote(Path(path).as_posix(), safe="/")


FORMAT = Format("sarif", text, extension=".sarif")
