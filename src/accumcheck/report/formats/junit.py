"""JUnit XML: suites of cases as Jenkins, GitLab and pytest write and read them.

The elements and attributes are those of the Jenkins xUnit plugin's schema ``junit-10.xsd``, which pytest's ``xunit2``
family follows: https://github.com/jenkinsci/xunit-plugin
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from accumcheck.report.escapes import clean, legal
from accumcheck.report.format import Format

if TYPE_CHECKING:
    from junitparser import TestCase

    from accumcheck.report.document import Case, Document


def text(document: Document) -> str:
    """The whole file, ASCII only; characters that XML does not allow are written as escapes."""
    from junitparser import JUnitXml, TestSuite

    found = document.suite()
    suite = TestSuite(legal(found.name))
    for name, value in found.properties.items():
        suite.add_property(legal(name), legal(value))
    suite.add_testcases([_case(case, found.classname) for case in found.cases])
    suite.timestamp = found.started_at[:19]
    suite.time = round(found.seconds, 3)  # of the whole run, which takes longer than its splits
    root = JUnitXml("accumcheck")
    root.tests, root.failures, root.errors, root.time = suite.tests, suite.failures, suite.errors, suite.time
    root.add_testsuite(suite)
    return _ascii(root.tostring())


def _ascii(xml: bytes) -> str:
    """The same document, indented, independent of the XML library."""
    tree = ElementTree.fromstring(xml)
    ElementTree.indent(tree)
    body: bytes = ElementTree.tostring(tree, encoding="us-ascii", xml_declaration=False)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body.decode("ascii")}\n'


def _case(case: Case, classname: str) -> TestCase:
    from junitparser import Error, Failure, Skipped, TestCase

    made = TestCase(_shown(case.name), legal(classname), round(case.seconds, 3))
    if case.outcome != "passed":
        kinds: dict[str, Any] = {"failure": Failure, "error": Error, "skipped": Skipped}
        result = kinds[case.outcome](None, legal(case.kind))
        result.message = _shown(case.message)  # present even if empty: readers rely on it
        result.text = _shown(case.details) or None
        made.result = result
    if case.output:
        made.system_out = _shown(case.output)
    return made


def _shown(text_: str) -> str:
    return legal(clean(text_))


FORMAT = Format("junit", text, extension=".xml")
