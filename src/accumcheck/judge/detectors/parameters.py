"""Parameters that one split trains and another does not: frozen, or in no optimizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from accumcheck.judge.detectors.detected import Detected
from accumcheck.judge.evidence import Evidence
from accumcheck.record import Finding, Split, SplitObservation
from accumcheck.record.rule import UNEXPLAINED

SHOWN = 3


def untrained_parameters(seen: Evidence) -> Iterator[Detected]:
    """Splits that do not train a parameter that the control trains, or train one that it does not."""
    control = next((one for one in seen.good if one.split == seen.control), None)
    if control is None or control.trained is None:
        return
    frozen: dict[Split, tuple[str, ...]] = {}
    lacking: dict[Split, tuple[str, ...]] = {}
    more: dict[Split, tuple[str, ...]] = {}
    names = control.trained.coordinates.names
    for split in seen.good:
        if split.trained is None:
            continue
        own = split.trained.coordinates.names
        frozen[split.split] = tuple(name for name in names if name not in own)
        more[split.split] = tuple(name for name in own if name not in names)
        lacking[split.split] = tuple(name for name in split.trained.lacking if name not in control.trained.lacking)
    if found := _some(frozen):
        yield _fault(
            "parameter-frozen",
            found,
            f"does not train {_listed(found)}, which the control trains",
            "A parameter that needs no gradient (requires_grad is false) never changes.",
            "Freeze the same parameters under every split.",
        )
    if found := _some(more):
        yield _fault(
            "parameter-trained",
            found,
            f"trains {_listed(found)}, which the control does not train",
            "Splits that train different parameters give different models.",
            "Freeze the same parameters under every split.",
        )
    if found := _some(lacking):
        yield _fault(
            "optimizer-lacks-parameters",
            found,
            f"no optimizer holds {_listed(found)}, which the control's optimizer holds",
            "A gradient is computed for them, but nothing applies it: they never change.",
            "Give the optimizer the same parameters under every split.",
        )
    if control.trained.lacking:
        yield Detected(_by_design(control, control.trained.lacking))


def _by_design(control: SplitObservation, names: Sequence[str]) -> Finding:
    return Finding(
        id="optimizer-lacks-parameters",
        severity="warn",
        splits=(),
        summary=f"no optimizer holds {_listed({control.split: tuple(names)})}, not even under the control",
        explanation="They get a gradient, but nothing applies it: they never change. They were not compared.",
        consequence="If this is not intended, a part of the model is not trained.",
        advice="Set requires_grad to False for parameters that should not be trained, or give them to the optimizer.",
    )


def _some(found: Mapping[Split, tuple[str, ...]]) -> dict[Split, tuple[str, ...]]:
    return {split: names for split, names in found.items() if names}


def _listed(found: Mapping[Split, tuple[str, ...]]) -> str:
    return listed([name for each in found.values() for name in each])


def listed(names: Iterable[str]) -> str:
    """A few names of parameters, and how many more there are."""
    # with many equal layers, one name of each kind says more than the first few of one kind
    chosen = sorted(dict.fromkeys(names), key=lambda name: (name.count("."), name))
    rest = len(chosen) - SHOWN
    return ", ".join(chosen[:SHOWN]) + (f" and {rest} more parameter{'s' * (rest > 1)}" if rest > 0 else "")


def _fault(id_: str, found: Mapping[Split, object], summary: str, explanation: str, advice: str) -> Detected:
    return Detected(
        Finding(
            id=id_,
            severity="fail",
            splits=tuple(map(str, found)),
            gradient_rule=str(UNEXPLAINED),
            summary=summary,
            explanation=explanation,
            consequence="The resulting model depends on the split.",
            advice=advice,
        ),
        condemned=dict.fromkeys(found, UNEXPLAINED),
    )
