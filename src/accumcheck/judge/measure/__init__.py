"""Numbers only: errors, weights, tolerances, and the truths that steps are compared with. No judgement."""
