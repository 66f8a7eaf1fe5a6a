"""A search over releases in words: a line for each step, and what it ended with."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from accumcheck.record import Finding
from accumcheck.releases.badness import Badness, described, rules_of
from accumcheck.releases.bisect import Find, Result, Step
from accumcheck.releases.trial import Tried
from accumcheck.report import numbers
from accumcheck.report.layout import clean

NOTES = "https://github.com/huggingface/transformers/releases/tag/v{}"
_WIDTH, _INDENT = 80, 8


def step_line(step: Step) -> str:
    """``4.53.3    bad      fail   device-mean (12 s; 6 left, about 3 steps)``."""
    one = step.tried
    spent = "kept from an earlier run" if one.kept else numbers.seconds(one.seconds)
    left = f"{step.left} left, about {_steps(step.steps)}" if step.left else "none left"
    said = _rules(one) if step.bad is not None else clean(one.reason)
    return f"{one.release:<9} {_state(one, step.bad):<8} {_verdict(one):<6} {said} ({spent}; {left})"


def plan_line(badness: Badness) -> str:
    """What is looked for."""
    return f"bad means: {badness}"


def ending(result: Result, find: Find) -> Iterator[str]:
    """The lines that end a search; the last of them names the release."""
    before, after = result.before, result.after
    known_side = after if find == "broken" else before
    for badness, release in result.earlier:
        yield f"until {release}: {badness}"
    yield f"bad means: {result.badness}"
    yield _side(before, find == "fixed")
    for one in result.skipped:
        yield f"transformers {one.release:<9} skipped: {clean(one.reason)}"
    yield _side(after, find == "broken")
    if find == "fixed" and after.report is not None and after.report.exit_code == 1:
        yield f"transformers {after.release} fails by another rule: what is fixed is {result.badness}"
    for finding in known_side.report.findings if known_side.report is not None else ():
        if finding.severity in ("fail", "warn"):
            yield from _finding(finding, known_side.release)
    what = "bad" if find == "broken" else "fixed"
    for release in result.candidates:
        yield f"release notes: {NOTES.format(release)}"
    if len(result.candidates) == 1:
        yield f"first {what} release: {after.release}"
    else:
        yield f"first {what} release: one of {', '.join(result.candidates)}; the others could not be tried"


def _side(one: Tried, bad: bool) -> str:
    return f"transformers {one.release:<9} {_state(one, bad):<5} {_verdict(one):<6} {_rules(one)}"


def _finding(finding: Finding, release: str) -> Iterator[str]:
    yield from _wrapped(f"{finding.severity} under {release}: {finding.summary}")
    for fault in finding.known:
        yield from _wrapped(f"known: {fault.get('title', '')}")
        yield from (
            f"{' ' * _INDENT}{name}: {fault[key]}" if key != "url" else f"{' ' * _INDENT}{fault[key]}"
            for key, name in (("url", ""), ("affected", "affected"), ("fixed", "fixed"))
            if fault.get(key)
        )


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        clean(text), _WIDTH, subsequent_indent=" " * _INDENT, break_long_words=False, break_on_hyphens=False
    )


def _state(one: Tried, bad: bool | None) -> str:
    """``other``: it fails, but not in the way that is looked for."""
    if bad is None:
        return "skipped"
    return "bad" if bad else "other" if one.report is not None and one.report.exit_code == 1 else "good"


def _verdict(one: Tried) -> str:
    return "-" if one.report is None else one.report.verdict


def _rules(one: Tried) -> str:
    return "" if one.report is None or one.reason else described(rules_of(one.report))


def _steps(number: int) -> str:
    return f"{number} step{'' if number == 1 else 's'}"
