"""Trainers that have no right answer for one sample: known by their classes, and refused before they train.

Each is known by its trainer's class and by that of its training arguments (``GRPOTrainer``, ``GRPOConfig``), or by a
class above them; the arguments are made first, before a model is loaded.
"""

from __future__ import annotations

from accumcheck.errors import UnsupportedProgramError

_DRAWS = "trains on answers that its model draws at random in each step"
KINDS = {
    "KTO": "compares every answer with an estimate of the divergence over its whole micro-batch",
    "BCO": "compares every answer with a running mean of the rewards before it",
    **dict.fromkeys(
        (
            *("GRPO", "AsyncGRPO", "RLOO", "PPO", "OnlineDPO", "NashMD", "XPO", "A2PO", "SDPO", "DDPO"),
            *("SDFT", "GKD", "GOLD", "Distillation", "AsyncDistillation", "IWOPD"),
        ),
        _DRAWS,
    ),
}
"""TRL's, by the beginning of their classes' names: why their loss is no mean of what its samples give alone."""
_ENDINGS = ("Trainer", "Config")
_DRAWING = ("_generate_and_score_completions", "generate_completions", "generate_on_policy_outputs")
"""Methods by which trainers draw the answers that they train on, in TRL 0.12 to 1.16."""


def check_kind(kind: type) -> None:
    """Refuse a class of trainers, or of their training arguments.

    Args:
        kind: of what the program makes.

    Raises:
        UnsupportedProgramError: a sample has no right loss by itself there.
    """
    if (why := why_refused(kind)) is not None:
        raise UnsupportedProgramError(
            f"{why}, so a sample has no right loss by itself, and nothing can be compared; supervised fine-tuning, "
            "rewards and DPO can be checked"
        )


def why_refused(kind: type) -> str | None:
    """Which of `KINDS` a class is, and why that cannot be checked; None where it is none of them."""
    for above in kind.__mro__:
        name = above.__name__
        stem = next((name.removesuffix(ending) for ending in _ENDINGS if name.endswith(ending)), "")
        if stem in KINDS:
            own = f"{stem} ({name})" if name.endswith("Config") else name
            return f"{own if above is kind else f'{kind.__name__}, a {name},'} {KINDS[stem]}"
    if kind.__name__.endswith("Trainer") and any(hasattr(kind, name) for name in _DRAWING):
        return f"{kind.__name__} {_DRAWS}"
    return None
