"""Numbers only: errors, weights, tolerances, and what each step is compared with. No judgement."""
