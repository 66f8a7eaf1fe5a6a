"""Two reports of each check, compared: what ``accumcheck upgrade`` and ``accumcheck compare`` show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accumcheck.report.blocks import Fact, Facts, Notes, Section
from accumcheck.report.document import Annotation, Comment, Document, Suite
from accumcheck.report.parts.in_short import in_short
from accumcheck.report.parts.packages import differing
from accumcheck.report.parts.pair import conclusion, facts, in_full, notes, overall, side, subject
from accumcheck.report.parts.pair_cases import pair_cases
from accumcheck.report.parts.pair_comment import folded, headline, shown
from accumcheck.report.parts.pair_rows import check_table, split_table
from accumcheck.report.parts.places import place

if TYPE_CHECKING:
    from accumcheck.record.comparison import Comparison, Pair
    from accumcheck.report.blocks import Block, Conclusion

_RULES = {
    "worse": "The check fails under the new side and did not under the old one.",
    "drift": "The reference itself gives another loss or gradient for the same weights and data.",
    "undecided": "The check could not be decided on one of the two sides.",
    "fails": "The check fails on both sides.",
    "warning": "The check passes with a warning.",
}


class ComparisonDocument(Document):
    """All pairs of one command."""

    record: Comparison
    text_has_title = True

    def __init__(self, comparison: Comparison) -> None:
        super().__init__(comparison)
        self.title = self.record.title

    @property
    def exit_code(self) -> int:
        """The comparison's."""
        return self.record.exit_code

    def conclusion(self) -> Conclusion:
        """The result of all pairs together."""
        return overall(self.record)

    def blocks(self) -> list[Block]:
        """One row per check where there are several, and those with a result to look at in full."""
        comparison = self.record
        found: list[Block] = [self._in_short()]
        if len(comparison.pairs) > 1:
            found.append(Section("Configurations", (check_table(comparison),), role="whole"))
        return [*found, *(self._part(pair) for pair in in_full(comparison))]

    def _in_short(self) -> Section:
        """About the pair that decides the exit code."""
        comparison = self.record
        worst = next((pair for pair in comparison.pairs if pair.exit_code == comparison.exit_code), None)
        if worst is None or not comparison.exit_code:
            return Section("In short", (), background=True)
        new, old = side(comparison, comparison.new), side(comparison, comparison.old)
        since = f"{new}; {old} passes" if worst.changes.verdict.old in ("pass", "warn") else ""
        return in_short(
            notes(worst, comparison), since=since, otherwise=lambda _: f"stay with {old}, or see the findings below"
        )

    def _part(self, pair: Pair) -> Section:
        comparison = self.record
        several = len(comparison.pairs) > 1
        found: list[Block] = [
            subject(pair),
            split_table(pair, comparison),
            Facts(tuple(Fact(label, text) for label, text in facts(pair, comparison))),
        ]
        if about := notes(pair, comparison):
            found.append(Section("Findings", (Notes(tuple(about)),)))
        packages = differing(pair.old.environment.packages, pair.new.environment.packages)
        if packages.rows:
            found.append(Section("Environment", (packages,), background=True))
        result = conclusion(pair, comparison) if several else None
        return Section(pair.config, tuple(found), "part" if several else "whole", result)

    def comment(self) -> Comment:
        """One row per check with before, now and the noise band; the splits and findings of what changed, folded."""
        comparison = self.record
        return Comment(headline(comparison), tuple(shown(comparison)), tuple(folded(comparison)))

    def suite(self) -> Suite:
        """For each check one case per split of the new side, and one for its reference."""
        comparison, pairs = self.record, self.record.pairs
        return Suite(
            name=comparison.title,
            classname="accumcheck",
            cases=[case for pair in pairs for case in pair_cases(pair, comparison)],
            seconds=sum(pair.old.duration_seconds + pair.new.duration_seconds for pair in pairs),
            started_at=min(pair.old.started_at for pair in pairs),
            properties={"from": comparison.old, "to": comparison.new, "exit code": str(comparison.exit_code)},
        )

    def annotations(self) -> list[Annotation]:
        """One for each check that does not simply pass."""
        pairs = self.record.pairs
        return [self._annotation(pair) for pair in pairs if pair.exit_code or pair.new.verdict == "warn"]

    def _annotation(self, pair: Pair) -> Annotation:
        comparison = self.record
        lines = [
            str(conclusion(pair, comparison)),
            *(f"{label}: {text}" for label, text in facts(pair, comparison)),
            *(note.headline for note in notes(pair, comparison)),
        ]
        file, line = place(pair.new)
        return Annotation(
            level="error" if pair.exit_code else "warning",
            rule=_rule(pair),
            title=f"accumcheck {pair.config}",
            message="\n".join(lines),
            file=file,
            line=line,
            meaning=_RULES[_rule(pair)],
        )


def _rule(pair: Pair) -> str:
    """What kind of thing is wrong with a pair, in the order in which it decides the exit code."""
    if not pair.exit_code:
        return "warning"
    if pair.changes.broken:
        return "worse"
    if pair.new.exit_code == 1:
        return "fails"
    return "drift" if pair.exit_code == 1 else "undecided"
