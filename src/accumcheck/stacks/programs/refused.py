"""Trainers in which a single sample has no well-defined loss. They are refused before they train.

They are recognised by the class of the trainer or of its training arguments (``GRPOTrainer``, ``GRPOConfig``), or by a
base class of either. Programs make the arguments first, before they load a model.
"""

from __future__ import annotations

from accumcheck.errors import UnsupportedProgramError

_DRAWS = "trains on answers that its model generates at random in each step"
KINDS = {
    "KTO": "compares every answer with an estimate of the divergence over its whole micro-batch",
    "BCO": "compares every answer with a running mean of the earlier rewards",
    **dict.fromkeys(
        (
            *("GRPO", "AsyncGRPO", "RLOO", "PPO", "OnlineDPO", "NashMD", "XPO", "A2PO", "SDPO", "DDPO"),
            *("SDFT", "GKD", "GOLD", "Distillation", "AsyncDistillation", "IWOPD"),
        ),
        _DRAWS,
    ),
}
"""TRL's trainers, by how their class names begin, with the reason why their loss is not a mean over single samples."""
_ENDINGS = ("Trainer", "Config")
_DRAWING = ("_generate_and_score_completions", "generate_completions", "generate_on_policy_outputs")
"""Methods that generate the answers that a trainer trains on, in TRL 0.12 to 1.16."""


def check_kind(kind: type) -> None:
    """Refuse a class of trainers, or of training arguments, that cannot be checked.

    Args:
        kind: the class of the trainer or of the arguments that the program makes.

    Raises:
        UnsupportedProgramError: a single sample has no well-defined loss in this trainer.
    """
    if (why := why_refused(kind)) is not None:
        raise UnsupportedProgramError(
            f"{why}, so a single sample has no well-defined loss to compare with; supervised fine-tuning, reward "
            "models and DPO can be checked"
        )


def why_refused(kind: type) -> str | None:
    """Which of `KINDS` a class is, and why that kind cannot be checked; None if it is none of them."""
    for above in kind.__mro__:
        name = above.__name__
        stem = next((name.removesuffix(ending) for ending in _ENDINGS if name.endswith(ending)), "")
        if stem in KINDS:
            own = f"{stem} ({name})" if name.endswith("Config") else name
            return f"{own if above is kind else f'{kind.__name__}, a {name},'} {KINDS[stem]}"
    if kind.__name__.endswith("Trainer") and any(hasattr(kind, name) for name in _DRAWING):
        return f"{kind.__name__} {_DRAWS}"
    return None
