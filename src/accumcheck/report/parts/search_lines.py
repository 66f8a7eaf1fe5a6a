"""A search over releases in lines: one for each step as it is done, and how it ended."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from accumcheck.record.bisection import RulePair
from accumcheck.report import numbers
from accumcheck.report.escapes import clean
from accumcheck.report.parts.phrases import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accumcheck.record import Finding
    from accumcheck.record.bisection import Bisection, Find, Step, Tried

_WIDTH, _INDENT = 80, 8


def what(find: Find) -> str:
    """``first bad release``, or ``first fixed release``."""
    return f"first {'bad' if find == 'broken' else 'fixed'} release"


def means(meaning: str) -> str:
    """What is looked for."""
    return f"bad means: {meaning}"


def found_under(one: Tried) -> str:
    """The rules that the check follows under a release; the reason if it could not be decided."""
    return one.reason if one.short is None or one.reason else str(RulePair.of(one.short))


def spent(one: Tried) -> str:
    """What a release took."""
    return "kept from an earlier run" if one.kept else numbers.seconds(one.seconds)


def faulty_side(bisection: Bisection) -> Tried:
    """The release under which the fault is there."""
    return bisection.after if bisection.find == "broken" else bisection.before


def step_line(step: Step) -> str:
    """``4.53.3    bad      fail   device-mean (12 s; 6 left, about 3 steps)``."""
    one = step.tried
    about = f" - {clean(one.about)}" if one.about else ""
    cells = f"{one.release:<9} {step.state:<8} {_verdict(one):<6}"
    return f"{cells} {clean(found_under(one))} ({spent(one)}{_left(step)}){about}"


def _left(step: Step) -> str:
    if step.left is None:
        return ""
    return f"; {step.left} left, about {plural(step.steps, 'step')}" if step.left else "; none left"


def ending(bisection: Bisection) -> Iterator[str]:
    """The lines that end a search; the last of them names the release."""
    before, after = bisection.before, bisection.after
    broken, faulty = bisection.find == "broken", faulty_side(bisection)
    for meaning, release in bisection.earlier:
        yield f"until {release}: {meaning}"
    yield means(bisection.meaning)
    yield _side(before, not broken, bisection)
    for one in bisection.skipped:
        yield f"{bisection.named(f'{one.release:<9}')} skipped: {clean(one.reason)}"
    yield _side(after, broken, bisection)
    if not broken and after.report is not None and after.report.exit_code == 1:
        yield f"{bisection.named(after.release)} still fails, with another rule; fixed: {bisection.meaning}"
    for finding in faulty.report.findings if faulty.report is not None else ():
        if finding.severity in ("fail", "warn"):
            yield from _finding(finding, faulty.release)
    for address in bisection.pages:
        yield f"release notes: {address}"
    if bisection.of_commits and bisection.found is not None:
        yield f"first {'bad' if broken else 'fixed'} commit: {bisection.found}: {clean(after.about)}"
    if bisection.found is not None:
        yield f"{what(bisection.find)}: {bisection.found_in_full}"
    else:
        yield f"{what(bisection.find)}: one of {', '.join(bisection.candidates)}; the others could not be tried"


def _side(one: Tried, bad: bool, bisection: Bisection) -> str:
    rules = "" if one.reason else found_under(one)
    return f"{bisection.named(f'{one.release:<9}')} {one.state(bad):<5} {_verdict(one):<6} {rules}"


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


def _verdict(one: Tried) -> str:
    return "-" if one.short is None else one.short.verdict
