"""The verdict on a run in one line."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from accumcheck.report.blocks import Conclusion
from accumcheck.report.parts.phrases import plural

if TYPE_CHECKING:
    from accumcheck.record import Report


def verdict(report: Report) -> Conclusion:
    """The verdict in words, and the exit code with its meaning."""
    of, total = Counter(split.verdict for split in report.splits), len(report.splits)
    ran = total - of["error"] - of["skipped"]
    trained = sum(split.verdict == "error" and split.status == "ran" for split in report.splits)
    rest = [f"{of['error'] - trained} could not run"] if of["error"] > trained else []
    rest += [f"{trained} ran without a verdict"] if trained else []
    rest += [f"{of['skipped']} skipped"] if of["skipped"] else []
    severities = {finding.severity for finding in report.findings}
    expected = sum(bool(split.expected) for split in report.splits)
    of["warn"] -= expected
    rest += [f"{expected} {'fails' if expected == 1 else 'fail'} as expected"] if expected else []
    severities -= {"warn"} if all(one.expected for one in report.findings if one.severity == "warn") else set()
    warned = f"{of['warn']} with a warning" if of["warn"] else "with a warning on the run as a whole"
    word, tone, meaning = str(report.verdict), str(report.verdict), ""
    if report.exit_code == 1 and not of["fail"] and (of["warn"] or "warn" in severities):
        parts, meaning = [f"{ran} of {plural(total, 'split')} ran, {warned}"], ": warnings fail under --strict"
    elif report.verdict == "fail" or report.exit_code == 1:
        diverge = "diverges" if of["fail"] == 1 else "diverge"
        parts = [f"{of['fail']} of {plural(total, 'split')} {diverge}" if of["fail"] else "the run as a whole diverges"]
        parts += [warned] if of["warn"] else []
        meaning = ": divergence"
    elif report.exit_code == 3 or report.verdict in ("error", "skipped"):
        parts = [f"of {plural(total, 'split')}, {rest.pop(0)}" if rest else "see the reason above"]
        word, tone = "could not be decided", "error"
    elif report.verdict == "warn":
        parts, meaning = [f"{ran} of {plural(total, 'split')} ran"], ": known failures"
        if of["warn"] or "warn" in severities:
            parts, meaning = [*parts, warned], ": warnings are allowed"
    else:
        truth = "the reference" if report.accuracy == "judged" else "the control, accuracy not judged"
        agree = f"{'agrees' if ran == 1 else 'agree'} with {truth}"
        if any(finding.severity == "ignore" and finding.splits for finding in report.findings):
            agree = "ran; differences are ignored as configured"
        parts = [f"{ran} of {plural(total, 'split')} {agree}"]
        meaning = ": skipped splits are allowed" if of["skipped"] else ""
    return Conclusion(tone, word, ", ".join([*parts, *rest]), f"exit code {report.exit_code}{meaning}")
