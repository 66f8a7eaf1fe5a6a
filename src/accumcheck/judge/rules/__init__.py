"""Weighting rules: which formula gives the weights, or the loss, that were observed.

A rule is a value (`accumcheck.record.rule`); what its base means stands in one row of `accumcheck.judge.rules.bases`,
what its window means in one of `accumcheck.judge.rules.windows`.
"""
