"""Known failures: which of the splits that fail were expected to, and which expectations hold no longer.

A split is excused only where everything that is wrong with it is expected: each rule that it follows and each finding
that names it. Whatever else goes wrong there fails as it would without an expectation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.version import InvalidVersion, Version

from accumcheck.config.expect import ExpectedFailure
from accumcheck.record import Finding, Split, SplitResult
from accumcheck.record.rule import TOKEN_MEAN, Rule, is_rule

GONE = "expected-failure-gone"
ENDED = "expectation-ended"


@dataclass(frozen=True, slots=True)
class Expectation:
    """One known failure of the configuration, and whether its release has come."""

    asked: ExpectedFailure
    ended: bool

    @property
    def words(self) -> str:
        """The reason, and until when it holds."""
        return expectation_words(self.asked.reason, self.asked.until)

    def covers(self, split: Split) -> bool:
        """Whether the failure is expected of this split."""
        return self.asked.splits is None or str(split) in self.asked.splits

    def names(self, finding: Finding) -> bool:
        """Whether it names this finding by its id."""
        return self.asked.finding is not None and self.asked.finding == finding.id

    def is_rule_of(self, split: Split, rule: Rule) -> bool:
        """Whether it names the rule, as far as the split can show it: factors that are 1 there do not count."""
        if self.asked.rule is None:
            return False
        expected = Rule.parse(self.asked.rule)
        return expected.matches(rule) or expected.within(split).matches(rule.within(split))


def expectation_words(reason: str, until: str | None) -> str:
    """``transformers#47688 (until transformers 5.30)``."""
    return f"{reason} (until {' '.join(until.split())})" if until else reason


def with_expectations(
    expect: Sequence[ExpectedFailure],
    results: Sequence[SplitResult],
    findings: Sequence[Finding],
    packages: Mapping[str, str],
) -> tuple[tuple[SplitResult, ...], tuple[Finding, ...]]:
    """Excuse what is expected, and report what is expected no longer.

    Args:
        expect: the configuration's known failures.
        results: of every requested split.
        findings: all of the run's.
        packages: the releases in the environment, by canonical name.

    Returns:
        The results, of which those that are excused are warnings with ``expected``; and the findings, of which those
        that are about excused splits alone are warnings with ``expected``, followed by what is to be said of the
        expectations themselves.
    """
    if not expect:
        return tuple(results), tuple(findings)
    all_ = [Expectation(one, _has_come(one.until, packages)) for one in expect]
    used: set[int] = set()
    excused: dict[str, str] = {}
    for result in results:
        if result.verdict in ("fail", "warn") and (by := _excused_by(result, findings, all_)):
            used |= by
            if not any(all_[at].ended for at in by):
                excused[str(result.split)] = "; ".join(all_[at].words for at in sorted(by))
    marked = [_marked(finding, excused, all_, used) for finding in findings]
    said = [finding for at, one in enumerate(all_) for finding in _said_of(one, at in used, results, excused, packages)]
    return tuple(_as_expected(result, excused) for result in results), (*marked, *said)


def _as_expected(result: SplitResult, excused: Mapping[str, str]) -> SplitResult:
    why = excused.get(str(result.split), "")
    return replace(result, verdict="warn", reason="", expected=why) if why else result


def _excused_by(result: SplitResult, findings: Sequence[Finding], all_: Sequence[Expectation]) -> set[int]:
    """The expectations that together name everything that is wrong with a split; none where they do not."""
    about = [one for one in findings if str(result.split) in one.splits and one.severity in ("fail", "warn", "error")]
    by: set[int] = set()
    for finding in about:
        if finding.severity == "warn" and result.verdict == "fail":
            continue  # a warning besides, which is no part of the failure
        named = _naming(result.split, finding, all_)
        if named is None:
            return set()
        by |= named
    return by


def _naming(split: Split, finding: Finding, all_: Sequence[Expectation]) -> set[int] | None:
    """The expectations that name a finding of a split, by its id or by all its rules; None if a rule is not named."""
    able = [(at, one) for at, one in enumerate(all_) if one.covers(split)]
    if by_id := {at for at, one in able if one.names(finding)}:
        return by_id
    rules = [Rule.parse(name) for name in (finding.loss_rule, finding.gradient_rule) if name and is_rule(name)]
    wrong = [rule for rule in rules if rule != TOKEN_MEAN]
    found: set[int] = set()
    for rule in wrong:
        fitting = {at for at, one in able if one.is_rule_of(split, rule)}
        if not fitting:
            return None
        found |= fitting
    return found or None


def _marked(finding: Finding, excused: Mapping[str, str], all_: Sequence[Expectation], used: set[int]) -> Finding:
    """A finding as a warning where all of its splits are excused, or where it is about the run and is named."""
    if finding.severity not in ("fail", "warn"):
        return finding
    if finding.splits:
        reasons = [excused.get(split, "") for split in finding.splits]
        if not all(reasons):
            return finding
        return replace(finding, severity="warn", expected="; ".join(dict.fromkeys(reasons)))
    naming = [at for at, one in enumerate(all_) if one.names(finding)]
    used.update(naming)
    reasons = [all_[at].words for at in naming if not all_[at].ended]
    return replace(finding, severity="warn", expected="; ".join(reasons)) if reasons else finding


def _said_of(
    one: Expectation,
    used: bool,
    results: Sequence[SplitResult],
    excused: Mapping[str, str],
    packages: Mapping[str, str],
) -> Iterator[Finding]:
    """What is to be said of an expectation itself: the failure is gone, or its release has come."""
    covered = [result for result in results if one.covers(result.split)]
    what = one.asked.rule or one.asked.finding
    if one.ended and used:
        package = str(one.asked.until).split()[0]
        yield Finding(
            id=ENDED,
            severity="warn",
            splits=(),
            summary=f"{what} was expected until {one.asked.until} ({one.asked.reason}), and {package} is "
            f"{packages[_canonical(package)]} here: it counts again",
            advice="Look whether the fault was fixed upstream; if it was not, move until to a later release.",
        )
        return
    listed = one.asked.splits is not None
    right = [
        str(result.split) for result in covered if result.verdict in ("pass", "warn") and _is_free(result, excused)
    ]
    if (listed or not used) and right and all(result.status == "ran" for result in covered):
        yield Finding(
            id=GONE,
            severity="warn",
            splits=(),
            summary=f"{what} was expected of {', '.join(right)} ({one.words}) and is gone",
            advice="Take the entry out of expect, so that the gate catches the fault if it comes back.",
        )


def _is_free(result: SplitResult, excused: Mapping[str, str]) -> bool:
    return str(result.split) not in excused


def _has_come(until: str | None, packages: Mapping[str, str]) -> bool:
    """Whether the release is installed, or a later one; a package that is not there has no release that could come."""
    if until is None:
        return False
    package, release = until.split()
    try:
        # a development version of the release has its fixes, as a rule
        return Version(Version(packages.get(_canonical(package), "").partition(" ")[0]).base_version) >= Version(
            release
        )
    except InvalidVersion:
        return False


def _canonical(package: str) -> str:
    return package.lower().replace("_", "-").replace(".", "-")
