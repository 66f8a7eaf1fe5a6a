"""What is seen of a plain training loop, at torch's seams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard

from accumcheck.capture.observer import Observer
from accumcheck.capture.shards import engine as engines
from accumcheck.rows.fingerprint import SampleIndex
from accumcheck.runfolder.of_split import read_trained
from accumcheck.runfolder.steps import read_contributions, read_gradients, read_steps

SAMPLES = [{"input_ids": torch.tensor([1, 2, 3 + i]), "attention_mask": torch.ones(3)} for i in range(4)]


class Scorer(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.score = torch.nn.Linear(3, 1, bias=False)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self.score(input_ids.float()).mean()


def batch(*rows: int) -> dict[str, torch.Tensor]:
    return {name: torch.stack([SAMPLES[row][name] for row in rows]) for name in SAMPLES[0]}


def test_steps_micro_batches_and_gradients_are_recorded(tmp_path: Path) -> None:
    model = Scorer()
    seen: list[Any] = []
    observer = Observer(tmp_path, 0, SampleIndex(SAMPLES), seen.append)
    observer.watch(model, seed=0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    for rows in ([(0, 1), (3,)], [(2, 2)]):
        for micro_batch in rows:
            model(**batch(*micro_batch)).backward()
        with torch.no_grad():
            model(**batch(0))  # an evaluation is not part of a step
        optimizer.step()
        optimizer.zero_grad()
    observer.told(1, {"loss": 4.5, "grad_norm": 2.0, "epoch": 1})
    observer.told(2, {"loss": 5.5})
    observer.told(2, {"train_runtime": 1.0})  # the summary at the end is no step's log
    observer.stop()
    optimizer.step()  # what comes later is not watched
    observer.write()

    steps = read_steps(tmp_path, 0)
    assert seen == [0, 1]
    assert [[batch.samples for batch in step.micro_batches] for step in steps] == [[(0, 1), (3,)], [(2, 2)]]
    assert [(step.loss, step.logged_grad_norm) for step in steps] == [(4.5, 2.0), (5.5, None)]
    # d/dw of mean(w . x) is the mean of x: (1, 2, 3.5) for rows 0 and 1, plus (1, 2, 6) for row 3
    assert read_gradients(tmp_path, 0, processes=1)[0].tolist() == [2.0, 4.0, 9.5]
    assert steps[0].grad_norm == pytest.approx((2**2 + 4**2 + 9.5**2) ** 0.5)
    assert read_gradients(tmp_path, 1, processes=1)[0].tolist() == [1.0, 2.0, 5.0]
    assert read_gradients(tmp_path, 2, processes=1) == {}


@pytest.fixture
def one_process() -> Iterator[None]:
    """A process group of this process alone."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)  # type: ignore[attr-defined]
    yield
    dist.destroy_process_group()


@pytest.mark.parametrize("kind", ["fully_shard", "fsdp", "fsdp-flat"])
def test_a_model_may_be_sharded_after_the_watch_began(tmp_path: Path, one_process: None, kind: str) -> None:
    """As by Trainer, which shards the model that it was given when its training begins."""
    model = Scorer()
    observer = Observer(tmp_path, 0, SampleIndex(SAMPLES), lambda _: None)
    observer.watch(model, seed=0)
    trained: torch.nn.Module = model
    if kind == "fully_shard":
        fully_shard(model)
    else:
        trained = FullyShardedDataParallel(model, device_id=torch.device("cpu"), use_orig_params=kind == "fsdp")
    optimizer = torch.optim.SGD(trained.parameters(), lr=0.0)
    for micro_batch in ((0, 1), (3,)):
        trained(**batch(*micro_batch)).backward()
    torch.nn.utils.clip_grad_norm_(trained.parameters(), 100.0)  # changes nothing
    optimizer.step()
    observer.stop()
    observer.write()

    (step,) = read_steps(tmp_path, 0)
    assert [micro_batch.samples for micro_batch in step.micro_batches] == [(0, 1), (3,)]
    assert read_gradients(tmp_path, 0, processes=1)[0].tolist() == [2.0, 4.0, 9.5]  # as in the test above
    assert step.grad_norm == pytest.approx((2**2 + 4**2 + 9.5**2) ** 0.5)


class Engine:
    """Steps copies of the parameters, as DeepSpeed's engine does."""

    def is_gradient_accumulation_boundary(self) -> bool:
        return True

    def step(self) -> None:
        pass


def test_what_an_engine_steps_is_not_taken_for_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()
    monkeypatch.setattr(engines, "engine_of", lambda model: engine)
    monkeypatch.setattr(engines, "check_engine", lambda engine: None)
    monkeypatch.setattr(engines, "check_norm", lambda engine, norm: None)
    monkeypatch.setattr(engines, "loss_scale_of", lambda engine: 1.0)
    model = Scorer()
    observer = Observer(tmp_path, 0, SampleIndex(SAMPLES), lambda step: None)
    observer.watch(model, seed=0)
    model(**batch(0, 1)).backward()
    engine.step()
    observer.stop()
    observer.write()

    trained = read_trained(tmp_path, 0)
    assert trained is not None
    assert (trained.coordinates.names, trained.lacking, trained.untouched) == (("score.weight",), (), ())
    assert read_gradients(tmp_path, 0, processes=1)[0].tolist() == [1.0, 2.0, 3.5]


def test_a_row_that_is_no_sample_is_minus_one(tmp_path: Path) -> None:
    model = Scorer()
    observer = Observer(tmp_path, 0, SampleIndex(SAMPLES), lambda step: None)
    observer.watch(model, seed=0)
    model(input_ids=torch.tensor([[9, 9, 9]]), attention_mask=torch.ones(1, 3)).backward()
    torch.optim.SGD(model.parameters(), lr=0.0).step()
    observer.stop()
    assert [batch.samples for batch in observer.steps[0].micro_batches] == [(-1,)]


class Rows:
    """Knows a row by its first entry."""

    def find(self, batch: Mapping[str, torch.Tensor]) -> tuple[int, ...]:
        return tuple(int(row[0]) for row in next(iter(batch.values())))

    def join(self, fed: Sequence[Sequence[int]]) -> tuple[int, ...]:
        return tuple(sum(parts) for parts in zip(*fed, strict=True))


def watched(tmp_path: Path, model: torch.nn.Module, optimizers: list[torch.optim.Optimizer], k: int) -> Observer:
    """Of a loop, whose modules' calls are told one by one."""
    observer = Observer(tmp_path, 0, Rows(), lambda _: None, accumulation_steps=k)
    observer.watch(model, seed=0, rows_are_told=True, optimizers=lambda: optimizers)
    return observer


def call(observer: Observer, module: torch.nn.Module, number: int, inputs: torch.Tensor) -> torch.Tensor:
    observer.called(number, {} if inputs.requires_grad else {"x": inputs})
    output: torch.Tensor = module(inputs)
    observer.returned(output)
    return output


def test_the_two_optimizers_of_a_gan_step_in_one_window(tmp_path: Path) -> None:
    torch.manual_seed(0)
    generator, discriminator = torch.nn.Linear(2, 2, bias=False), torch.nn.Linear(2, 1, bias=False)
    model = torch.nn.ModuleDict({"g": generator, "d": discriminator})
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.SGD(discriminator.parameters(), lr=0.0),
        torch.optim.SGD(generator.parameters(), lr=0.0),
    ]
    observer = watched(tmp_path, model, optimizers, 2)
    for first in (1.0, 5.0):
        batches = [torch.tensor([[first + turn, 1.0]]) for turn in range(2)]
        optimizers[0].zero_grad()
        for batch in batches:
            call(observer, discriminator, 1, batch).sum().backward()
        optimizers[0].step()
        optimizers[1].zero_grad()
        for batch in batches:
            call(observer, discriminator, 1, call(observer, generator, 0, batch)).sum().backward()
        optimizers[1].step()
    observer.stop()
    observer.write()
    assert [[batch.samples for batch in step.micro_batches] for step in observer.steps] == [[(1,), (2,)], [(5,), (6,)]]
    for step in range(2):
        # the generator's backward reaches the discriminator after its step: that is no part of what it applied
        added = read_contributions(tmp_path, step, 1)[0].sum(axis=0)
        assert added.tolist() == pytest.approx(read_gradients(tmp_path, step, 1)[0].tolist())


def test_an_optimizer_that_never_steps_ends_no_window_early(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 2)
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.SGD([model.weight], lr=0.0),
        torch.optim.SGD([model.bias], lr=0.0),
    ]
    observer = watched(tmp_path, model, optimizers, 1)
    for number in (1.0, 2.0, 3.0):
        call(observer, model, 0, torch.tensor([[number, 0.0]])).sum().backward()
        optimizers[0].step()
        optimizers[0].zero_grad()
    observer.stop()
    assert [[batch.samples for batch in step.micro_batches] for step in observer.steps] == [[(1,)], [(2,)], [(3,)]]


def test_a_closure_that_runs_again_makes_its_gradient_anew(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 1, bias=False)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.0, max_iter=3, tolerance_grad=0.0, tolerance_change=-1.0)
    observer = watched(tmp_path, model, [optimizer], 2)
    calls = 0

    def closure() -> torch.Tensor:
        nonlocal calls
        calls += 1
        optimizer.zero_grad()
        losses = []
        for number in (1.0, 2.0):
            loss = call(observer, model, 0, torch.tensor([[number, 1.0]])).square().sum()
            loss.backward()
            losses.append(loss.detach())
        return torch.stack(losses).sum()

    optimizer.step(closure)
    observer.stop()
    assert calls > 1
    assert [batch.samples for batch in observer.steps[0].micro_batches] == [(1,), (2,)]
    added = read_contributions(tmp_path, 0, 1)[0].sum(axis=0)
    assert added.tolist() == pytest.approx(read_gradients(tmp_path, 0, 1)[0].tolist())


def test_a_sparse_gradient_is_read_whole(tmp_path: Path) -> None:
    model = torch.nn.Embedding(4, 2, sparse=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    observer = watched(tmp_path, model, [optimizer], 1)
    call(observer, model, 0, torch.tensor([[1, 3]])).sum().backward()
    optimizer.step()
    observer.stop()
    assert read_gradients(tmp_path, 0, 1)[0].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]


def test_a_clip_to_a_norm_that_was_computed_before_is_undone(tmp_path: Path) -> None:
    clip = getattr(torch.nn.utils, "clip_grads_with_norm_", None)
    if clip is None:
        pytest.skip("torch has it since 2.6")
    model = torch.nn.Linear(2, 1, bias=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    observer = watched(tmp_path, model, [optimizer], 1)
    call(observer, model, 0, torch.tensor([[3.0, 4.0]])).sum().backward()
    torch.nn.utils.clip_grads_with_norm_(model.parameters(), 1.0, torch.tensor(5.0))
    optimizer.step()
    observer.stop()
    assert read_gradients(tmp_path, 0, 1)[0].tolist() == [3.0, 4.0]
    assert observer.steps[0].clip_coefficient == pytest.approx(0.2, rel=1e-5)


def test_what_an_optimizer_makes_of_several_gradients_is_not_compared(tmp_path: Path) -> None:
    model = torch.nn.Linear(2, 1, bias=False)
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.01, max_iter=3, tolerance_grad=0.0, tolerance_change=-1.0)
    observer = watched(tmp_path, model, [optimizer], 1)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = call(observer, model, 0, torch.tensor([[1.0, 2.0]])).square().sum()
        loss.backward()
        return loss.detach()

    optimizer.step(closure)
    observer.changed({id(model.weight): model.weight.detach() + 1})
    observer.stop()
    assert observer.steps[0].change_norm is None
