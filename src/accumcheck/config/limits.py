"""The largest values that a configuration may hold. Each is far above real trainings and far below what would hang."""

from __future__ import annotations

from typing import Annotated

from accumcheck.declare.keys import Auto, Number

FILE_BYTES = 262_144
"""Size of a configuration file, or of one ``--set``: 256 KiB."""
VALUES = 5_000
"""Values in one document, including those that anchors repeat."""
DEPTH = 50
"""Levels of lists and mappings inside each other."""
NUMBER_DIGITS = 100
"""Digits of a whole number; more are read as infinity, which no key takes."""
TOLD = 100
"""Errors that are printed; the rest are only counted."""

SPLITS = 256
"""Splits of one check: each is a separate run."""
BATCH = 1_000_000
PROCESSES = 65_536
SAMPLES = 10_000_000
"""Samples of all steps together: the reference computes each on its own."""
SYNTHETIC_TOKENS = 1_000_000_000
"""Tokens of synthetic data, which are kept in memory: 8 GB."""

Batch = Annotated[int, Number(1, BATCH)]
"""Samples of one optimizer step, and the ``b`` and ``k`` that divide it."""
Processes = Annotated[int, Number(1, PROCESSES)]
Steps = Annotated[int, Number(1, 100_000)]
MoreSteps = Annotated[int, Number(0, 1_000_000)]
Samples = Annotated[int, Number(2, SAMPLES)]
Epochs = Annotated[int, Number(1, 1_000)]
Tokens = Annotated[int, Number(2, 10_000_000)]
"""Tokens of one sample."""
Images = Annotated[int, Number(0, 1_000)]
Fraction = Annotated[float, Number(0, 1, below=True)]
Tolerance = Annotated[Annotated[float, Number(1e-16, 1, "a relative difference")] | None, Auto()]
"""A relative difference: float64 resolves 1e-16, and 1 means 100 %. None is ``auto``."""
Seconds = Annotated[float, Number(1, 2_592_000, "a number of seconds")]
"""From a second to 30 days."""
Machines = Annotated[int, Number(1, 10_000)]
Machine = Annotated[int, Number(0, 9_999)]
Seed = Annotated[int, Number(0, 2**32 - 1)]
