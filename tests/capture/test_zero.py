"""Gradients and weights under DeepSpeed's ZeRO, in two real processes, beside those of one without it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from packaging.version import Version

from accumcheck.capture.coordinates import GradientReader
from accumcheck.capture.shards.asked import check_engine_was_made
from accumcheck.capture.shards.zero import check_engine, check_norm, engine_of
from accumcheck.errors import WorkloadError
from tests.capture.sharded_program import ROWS, SOME, Small
from tests.capture.two_processes import in_two_processes

STAGES = ("zero-1", "zero-2", "zero-3")
HALF = (
    *(f"{stage}-bfloat16" for stage in ("zero-0", *STAGES)),
    *("zero-2-offload-bfloat16", "zero-3-offload-bfloat16", "zero-1-bfloat16-wide"),
)
OFFLOADED = tuple(f"{stage}-offload" for stage in STAGES)
KINDS = ("zero-0", *STAGES, "zero-2-left", "zero-3-late", *OFFLOADED, *HALF)
NAMES = ("embed.weight", "second.weight", "second.bias", "norm.weight", "norm.bias")  # first is frozen, out is embed

without_deepspeed = pytest.mark.skipif(
    importlib.util.find_spec("deepspeed") is None, reason="DeepSpeed is not installed: pip install deepspeed"
)


def with_deepspeed(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that needs DeepSpeed, in two further processes."""
    return pytest.mark.process(without_deepspeed(test))


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """By kind, what each of the two processes read."""
    return in_two_processes(
        "zero_program.py", tmp_path_factory.mktemp("zero"), (*KINDS, "four", "moved"), "--no-kernels"
    )


@pytest.fixture(scope="module")
def right() -> np.ndarray[Any, Any]:
    """The mean of all rows' losses, differentiated by one process in one pass; rows are of one length."""
    return gradient_of(ROWS)


def loses_micro_batches() -> bool:
    """Whether the installed DeepSpeed has the faults that 0.19.0 fixes."""
    return Version(version("deepspeed")) < Version("0.19.0")


def gradient_of(rows: torch.Tensor) -> np.ndarray[Any, Any]:
    model = Small()
    model(rows).backward()
    grads = {name: parameter.grad for name, parameter in model.named_parameters()}
    return torch.cat([grad.flatten() for name in NAMES if (grad := grads[name]) is not None]).numpy()


@with_deepspeed
@pytest.mark.parametrize("kind", KINDS)
def test_every_process_has_the_whole_gradient_of_every_step_once(
    read: dict[str, list[Any]], right: np.ndarray[Any, Any], kind: str
) -> None:
    if "wide" in kind and loses_micro_batches():
        pytest.skip("the last micro-batch is not reduced there: deepspeedai/DeepSpeed#7985")
    close = 2e-2 if kind in HALF else 1e-6  # arithmetic in bfloat16 has three digits
    for seen in read[kind]:
        assert seen["names"] == NAMES
        assert len(seen["steps"]) == 2  # of four micro-batches
        for entries, norm in seen["steps"]:
            assert np.linalg.norm(entries - right) < close * np.linalg.norm(right)
            assert norm == pytest.approx(float(np.linalg.norm(right)), rel=close)  # before it was clipped to 1e-3


@with_deepspeed
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_few_entries_are_kept_as_of_a_model_that_is_whole(read: dict[str, list[Any]], kind: str) -> None:
    if "wide" in kind and loses_micro_batches():
        pytest.skip("the processes' gradients differ there: deepspeedai/DeepSpeed#7985")
    model = Small()
    model(ROWS).backward()
    some, _ = GradientReader.of(model, seed=3, limit=SOME).read(model)
    for step in range(2):
        few = [seen["few"][step] for seen in read[kind]]
        assert np.array_equal(few[0], few[1])
        assert np.linalg.norm(few[0] - some) < (5e-2 if kind in HALF else 1e-6) * np.linalg.norm(some)


@with_deepspeed
@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_gathered_to_the_bit(read: dict[str, list[Any]], kind: str) -> None:
    model = Small().to(torch.bfloat16 if kind in HALF else torch.float32)
    for seen in read[kind]:
        assert seen["sums"] == seen["whole"]
        assert {name: value.tolist() for name, value in seen["values"].items()} == {
            name: parameter.flatten().tolist() for name, parameter in model.named_parameters()
        }


@with_deepspeed
def test_micro_batches_that_an_offloaded_optimizer_loses_are_missing_in_the_gradient(
    read: dict[str, list[Any]], right: np.ndarray[Any, Any]
) -> None:
    # up to 0.18.9 the sum is written to the host after the first micro-batch only: deepspeedai/DeepSpeed#7967
    applied = gradient_of(ROWS[[0, 3]]) / 2 if loses_micro_batches() else right
    for seen in read["four"]:
        assert len(seen) == 2
        for entries in seen:
            assert np.linalg.norm(entries - applied) < 1e-6 * np.linalg.norm(right)


@with_deepspeed
def test_weights_that_moved_are_seen_to_have(read: dict[str, list[Any]]) -> None:
    for stages in read["moved"]:
        assert stages == [sorted(NAMES)] * 4


@with_deepspeed
@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("zero-0")])
def test_another_gradient_than_the_engine_applies_is_an_error(read: dict[str, list[Any]], kind: str) -> None:
    for seen in read[kind]:
        assert "they differ, so accumcheck cannot see the applied gradient" in seen["twice"]


class _Engine:
    """What an engine says of itself."""

    def __init__(self, stage: int = 2, norm: float | None = 1.0, **beside: Any) -> None:
        self.optimizer = SimpleNamespace(overflow=beside.pop("overflow", False), loss_scale=4.0)
        self._stage = stage
        self._norm = norm
        self._offload = beside.pop("offload", None)
        for name, value in beside.items():
            setattr(self, name, value)

    def zero_optimization_stage(self) -> int:
        return self._stage

    def zero_offload_optimizer(self) -> Any:
        return self._offload

    def get_global_grad_norm(self) -> float | None:
        return self._norm


@pytest.mark.parametrize(
    ("engine", "named"),
    [
        (_Engine(stage=4), "ZeRO stage 4"),
        (_Engine(torch_autocast_z0_gradscaler=object()), "a gradient scaler of torch's autocast"),
        (_Engine(offload=SimpleNamespace(device="nvme")), "an optimizer offloaded to nvme"),
        (_Engine(zenflow=True), "ZenFlow"),
        (_Engine(mp_world_size=2), "tensor parallelism"),
        (_Engine(sequence_parallel_size=2, has_moe_layers=True), "mixture-of-experts layers of its own, sequence par"),
    ],
)
def test_what_was_not_compared_with_the_truth_is_refused_by_name(engine: _Engine, named: str) -> None:
    with pytest.raises(WorkloadError, match=named):
        check_engine(engine)


def test_zero_without_more_is_not_refused() -> None:
    for stage in (0, 1, 2, 3):
        check_engine(_Engine(stage, offload=SimpleNamespace(device="none"), mp_world_size=1))
        check_engine(_Engine(stage, offload=SimpleNamespace(device="cpu")))


def test_a_norm_that_is_not_the_engines_own_is_an_error() -> None:
    check_norm(_Engine(norm=2.0), 2.001)
    check_norm(_Engine(norm=float("inf")), float("nan"))
    for norm, read_norm in ((2.0, 2.1), (2.0, 0.0), (0.0, 2.0), (float("nan"), 2.0), (2.0, float("inf"))):
        with pytest.raises(WorkloadError, match="they differ"):
            check_norm(_Engine(norm=norm), read_norm)
    with pytest.raises(WorkloadError, match="computes no gradient norm"):
        check_norm(_Engine(norm=None), 2.0)
    check_norm(_Engine(stage=0, norm=None), 2.0)  # the gradient is read from the parameters
    with pytest.raises(WorkloadError, match="skipped an optimizer step"):
        check_norm(_Engine(overflow=True), float("inf"))


def test_an_engine_that_was_asked_for_and_not_made_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WorkloadError, match="DeepSpeed was requested, but no DeepSpeed engine trains the model"):
        check_engine_was_made(SimpleNamespace(deepspeed="zero3.json"))
    check_engine_was_made(None)
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    with pytest.raises(WorkloadError, match="DeepSpeed was requested"):
        check_engine_was_made(None)


def test_a_program_without_deepspeed_has_no_engine_and_imports_none() -> None:
    assert engine_of(Small()) is None
