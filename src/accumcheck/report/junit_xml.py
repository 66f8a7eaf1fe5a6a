"""JUnit XML: suites of cases as Jenkins, GitLab and pytest write and read them.

The elements and attributes are those of the Jenkins xUnit plugin's schema ``junit-10.xsd``, which pytest's ``xunit2``
family follows: https://github.com/jenkinsci/xunit-plugin
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree

from accumcheck.report.layout import legal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Outcome = Literal["passed", "failure", "error", "skipped"]


@dataclass(frozen=True, slots=True)
class Case:
    """One test case. ``message`` is one line, ``details`` any number; ``kind`` classifies what did not pass."""

    name: str
    outcome: Outcome = "passed"
    message: str = ""
    details: str = ""
    kind: str = ""
    seconds: float = 0.0
    output: str = ""


@dataclass(frozen=True, slots=True)
class Suite:
    """The cases of one run; ``started_at`` in ISO 8601, ``classname`` as Jenkins groups by."""

    name: str
    classname: str
    cases: Sequence[Case]
    seconds: float
    started_at: str
    properties: Mapping[str, str]


def document(suite: Suite) -> str:
    """The XML text, ASCII only, ending in a line break; what XML does not allow is written as an escape."""
    counts = {
        "tests": str(len(suite.cases)),
        **{f"{kind}s": str(_count(suite, kind)) for kind in ("failure", "error")},
        "time": f"{suite.seconds:.3f}",
    }
    root = ElementTree.Element("testsuites", {"name": "accumcheck", **counts})
    attributes = {**counts, "skipped": str(_count(suite, "skipped")), "timestamp": suite.started_at[:19]}
    element = ElementTree.SubElement(root, "testsuite", {"name": legal(suite.name), **attributes})
    properties = ElementTree.SubElement(element, "properties")
    for name, value in suite.properties.items():
        ElementTree.SubElement(properties, "property", {"name": legal(name), "value": legal(value)})
    for case in suite.cases:
        _add(case, element, suite.classname)
    ElementTree.indent(root)
    body: bytes = ElementTree.tostring(root, encoding="us-ascii", xml_declaration=False)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body.decode("ascii")}\n'


def _count(suite: Suite, outcome: str) -> int:
    return sum(case.outcome == outcome for case in suite.cases)


def _add(case: Case, parent: ElementTree.Element, classname: str) -> None:
    attributes = {"classname": legal(classname), "name": legal(case.name), "time": f"{case.seconds:.3f}"}
    element = ElementTree.SubElement(parent, "testcase", attributes)
    if case.outcome != "passed":
        kind = {"type": legal(case.kind)} if case.kind else {}
        ended = ElementTree.SubElement(element, case.outcome, {**kind, "message": legal(case.message)})
        ended.text = legal(case.details) or None
    if case.output:
        ElementTree.SubElement(element, "system-out").text = legal(case.output)
