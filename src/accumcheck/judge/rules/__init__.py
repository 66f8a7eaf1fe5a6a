"""Weighting rules: which formula gives the observed weights, or the observed loss.

A rule is a value (`accumcheck.record.rule`); the meaning of its base is one row of `accumcheck.judge.rules.bases`,
the meaning of its window one row of `accumcheck.judge.rules.windows`.
"""
