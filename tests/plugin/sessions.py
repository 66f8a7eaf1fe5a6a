"""What sessions of pytest are given that tests start."""

from __future__ import annotations

RUNS_ONCE = """
import accumcheck.check

run_check, made = accumcheck.check.run_check, []


def run_once(*given, **keywords):
    made.append(made[0] if made else run_check(*given, **keywords))
    return made[0]


accumcheck.check.run_check = run_once
"""
"""One real run, whose report every test of the session is given."""
