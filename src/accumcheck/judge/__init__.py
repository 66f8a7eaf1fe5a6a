"""Pure functions on records: divergence, tolerance, weights, rules, findings, verdict."""
