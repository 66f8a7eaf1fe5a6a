"""The worked example of docs/method.md: four samples, one faulty stack, and what its gradient shows.

    python docs/method.py

Everything is computed here, in plain torch and numpy, so that each line can be checked by hand.
"""

from __future__ import annotations

import numpy as np
import torch

TOKENS = [3, 9, 4, 16]  # c_i: the predicted tokens of each sample
MICRO_BATCHES = [[0, 1], [2, 3]]  # one process, k = 2 micro-batches of b = 2 samples
K = len(MICRO_BATCHES)
CLASSES, WIDTH = 5, 6


def main() -> None:
    """Print the example, section by section."""
    draw = torch.Generator().manual_seed(0)
    # a model with one matrix: the logits of a token are its features times the matrix
    weights = torch.randn(WIDTH, CLASSES, generator=draw, dtype=torch.float64, requires_grad=True)
    samples = [
        (
            torch.randn(count, WIDTH, generator=draw, dtype=torch.float64),
            torch.randint(CLASSES, (count,), generator=draw),
        )
        for count in TOKENS
    ]

    def loss_of(members: list[int]) -> torch.Tensor:
        """The mean over the tokens of these samples: what a model returns for a batch of them."""
        features = torch.cat([samples[member][0] for member in members])
        labels = torch.cat([samples[member][1] for member in members])
        return torch.nn.functional.cross_entropy(features @ weights, labels)

    def gradient_of(loss: torch.Tensor) -> np.ndarray:
        (gradient,) = torch.autograd.grad(loss, weights)
        return gradient.numpy().ravel()

    print("1. Reference: each sample alone")
    c = np.array(TOKENS, dtype=float)
    losses = np.array([loss_of([member]).item() for member in range(4)])
    gradients = np.stack([gradient_of(loss_of([member])) for member in range(4)])  # g_i, one row per sample
    ideal = c / c.sum()  # c_i / N
    right_loss, right = ideal @ losses, ideal @ gradients
    print("   sample    c_i   c_i / N      l_i   ||g_i||")
    for member in range(4):
        norm = np.linalg.norm(gradients[member])
        print(f"   {member:6d} {TOKENS[member]:6d} {ideal[member]:9.5f} {losses[member]:8.5f} {norm:9.5f}")
    print(f"   right loss {right_loss:.5f}, right gradient norm {np.linalg.norm(right):.5f}")

    print("\n2. Observation: a stack that adds up the means of its micro-batches and never divides by k")
    means = [loss_of(batch) for batch in MICRO_BATCHES]
    reported = sum(mean.item() for mean in means)
    observed = sum(gradient_of(mean) for mean in means)
    print(f"   reported loss {reported:.5f}: {reported / right_loss:.4f} times the right one")
    ratio = np.linalg.norm(observed) / np.linalg.norm(right)
    print(f"   gradient norm {np.linalg.norm(observed):.5f}: {ratio:.4f} times the right one")

    print("\n3. Recovery: the weights w of g = sum(w_i g_i), by least squares")
    found, *_ = np.linalg.lstsq(gradients.T, observed, rcond=None)
    residual = np.linalg.norm(observed - found @ gradients) / np.linalg.norm(observed)
    print("   sample       w_i   w_i / (c_i / N)")
    for member in range(4):
        print(f"   {member:6d} {found[member]:9.5f} {found[member] / ideal[member]:17.4f}")
    print(f"   sum of w {found.sum():.4f}; unexplained {residual:.0e} of the norm")

    print("\n4. Naming: which formula gives these weights?")
    of_micro_batch = {member: sum(TOKENS[one] for one in batch) for batch in MICRO_BATCHES for member in batch}
    micro = np.array([TOKENS[member] / (of_micro_batch[member] * K) for member in range(4)])  # c_i / (C_m k n), n = 1
    rules = {
        "token-mean": ideal,
        "sample-mean": np.full(4, 1 / 4),
        "microbatch-mean": micro,
        "token-mean*k": ideal * K,
        "microbatch-mean*k": micro * K,
    }
    apart = {}
    for name, predicted in rules.items():
        off = np.linalg.norm((found - predicted) @ gradients) / np.linalg.norm(predicted @ gradients)
        apart[name] = off
        loss_off = abs(reported - predicted @ losses) / abs(predicted @ losses)
        print(f"   {name:18s} gradient off by {off:7.1e}, loss off by {loss_off:7.1e}")

    print("\n5. Tolerance: what rounding alone does here, in float32 and in reverse order")
    narrow = weights.detach().float().requires_grad_()
    total = np.zeros(WIDTH * CLASSES, dtype=np.float32)
    for member in reversed(range(4)):
        features, labels = samples[member]
        mean = torch.nn.functional.cross_entropy(features.float() @ narrow, labels) * float(ideal[member])
        (part,) = torch.autograd.grad(mean, narrow)
        total += part.numpy().ravel()
    noise = np.linalg.norm(total - right) / np.linalg.norm(right)
    fits = [name for name, off in apart.items() if off <= 5 * noise]
    print(f"   noise floor {noise:.0e} of the gradient; within five times that: {', '.join(fits)}")
    of_a_program(gradients * ideal[:, None])
    of_parameters(gradients, ideal)
    of_outputs(draw)


def of_a_program(rows: np.ndarray) -> None:
    """A loss that only the program computes: ``rows`` are what it adds for each sample, trained one by one."""

    def weights_of(gradient: np.ndarray, of: np.ndarray) -> tuple[np.ndarray, float]:
        found, *_ = np.linalg.lstsq(of.T, gradient, rcond=None)
        return found, float(np.linalg.norm(gradient - found @ of) / np.linalg.norm(gradient))

    print("\n6. A program's own rows instead of a reference: the backward passes, and what is applied")
    made = rows.sum(axis=0)  # one micro-batch of four, right
    places = np.stack([rows[batch].sum(axis=0) for batch in MICRO_BATCHES])  # what each of two micro-batches adds
    before = np.roll(made, 7)  # an earlier step's gradient that was not cleared
    decay = np.linspace(-0.01, 0.01, rows.shape[1])  # what a loop itself adds before each step
    applied = {
        "right": made,
        "zeroed inside the window": places[1],
        "halved at each micro-batch": 0.5 * places[0] + places[1],
        "divided by k again": made / 2,
        "a step that was not cleared": made + before,
        "a weight decay by hand": made + decay,
    }
    print("   applied                       by sample                        left   by micro-batch")
    for name, gradient in applied.items():
        found, left = weights_of(gradient, rows)
        by_place, _ = weights_of(gradient, places)
        told = " ".join(f"{one + 1e-9:6.2f}" for one in found)
        print(f"   {name:28s} {told} {left:9.0e}   {by_place[0] + 1e-9:.2f} {by_place[1] + 1e-9:.2f}")
    found, left = weights_of(made + before, np.vstack([rows, before]))
    print(f"   that step, with the previous step's gradient added to its rows: {found[-1]:.2f} times, left {left:.0e}")
    another = 3 * rows[0] + rows[2]  # a second step, with other rows
    for name, change in (("a decay", lambda one: one + decay), ("a half", lambda one: one / 2)):
        first, second = change(made) - made, change(another) - another
        apart = np.linalg.norm(first - second) / np.linalg.norm(first)
        print(f"   {name}: applied minus made differs from step to step by a relative {apart:.2f}")


def of_parameters(gradients: np.ndarray, ideal: np.ndarray) -> None:
    """Single parameters, and tensors that are not kept whole."""
    print("\n7. Weighted, or batch-dependent: can each parameter be made of its samples?")
    right = ideal @ gradients
    parts = {"first": slice(0, 15), "second": slice(15, 30)}
    hooked = right.copy()
    hooked[parts["second"]] *= 4  # a hook on one parameter
    compared = right.copy()
    compared[parts["second"]] = np.linspace(-1, 1, 15) * np.linalg.norm(right) / 4  # of samples that are compared
    for name, gradient in (("a hook on one parameter", hooked), ("samples that are compared", compared)):
        left = {}
        for part, entries in {"both": slice(0, 30), **parts}.items():
            found, *_ = np.linalg.lstsq(gradients[:, entries].T, gradient[entries], rcond=None)
            off = gradient[entries] - found @ gradients[:, entries]
            left[part] = np.linalg.norm(off) / np.linalg.norm(gradient[entries])
        print(f"   {name:26s} {', '.join(f'{part} leaves {value:.0e}' for part, value in left.items())}")

    print("\n8. Projections: a fault in one of a million entries, of which 1,000 are kept")
    draw = np.random.default_rng(0)
    whole = draw.normal(size=1_000_000)
    wrong = whole.copy()
    wrong[500_001] += 5.0
    kept = np.arange(0, 1_000_000, 1_000)
    signs = [draw.integers(0, 2, 1_000_000) * 2 - 1 for _ in range(4)]
    seen = np.sqrt(np.mean([(sign @ wrong - sign @ whole) ** 2 for sign in signs]))
    print(f"   kept entries differ by {np.abs(wrong[kept] - whole[kept]).max():.1f}, four projections by {seen:.1f}")


def of_outputs(draw: torch.Generator) -> None:
    """Four rows with two outputs each: what several losses do to a row alone and together, at these outputs."""
    print("\n9. At the outputs: together over alone, row by row")
    outputs = [torch.randn(4, width, generator=draw, dtype=torch.float64, requires_grad=True) for width in (CLASSES, 3)]
    labels, other = torch.randint(CLASSES, (4,), generator=draw), torch.randint(CLASSES, (4,), generator=draw)
    counted = torch.tensor([1.0, 0.0, 1.0, 1.0])
    entropy = torch.nn.functional.cross_entropy

    def terms(first: torch.Tensor, second: torch.Tensor, rows: list[int]) -> torch.Tensor:
        part = (second.square().sum(1) * counted[rows]).sum() / counted[rows].sum().clamp(min=1)
        return entropy(first, labels[rows]) + part

    def contrast(first: torch.Tensor, second: torch.Tensor, rows: list[int]) -> torch.Tensor:
        return entropy(first @ first.T, torch.arange(len(rows))) + terms(first, second, rows)

    def changed(first: torch.Tensor, second: torch.Tensor, rows: list[int]) -> torch.Tensor:
        """Other labels if there is more than one micro-batch, which is so for rows alone."""
        return terms(first, second, rows) + entropy(first, (other if len(rows) == 1 else labels)[rows])

    for name, loss, of in (
        ("two terms, alone", terms, [[0], [1], [2], [3]]),
        ("a contrast, alone", contrast, [[0], [1], [2], [3]]),
        ("a contrast, halves", contrast, [[0, 1], [2, 3]]),
        ("other labels, alone", changed, [[0], [1], [2], [3]]),
        ("other labels, halves", changed, [[0, 1], [2, 3]]),
    ):
        together = torch.autograd.grad(loss(*outputs, [0, 1, 2, 3]), outputs)
        pieces = [torch.autograd.grad(loss(*(one[rows] for one in outputs), rows), outputs) for rows in of]
        alone = [sum(piece[at] for piece in pieces) for at in range(2)]
        told = []
        for whole, part in zip(together, alone, strict=True):
            squares = part.square().sum(1)
            times = (whole * part).sum(1) / squares.where(squares > 0, 1.0)
            left = float((whole - times[:, None] * part).norm() / whole.norm())
            told.append(f"{' '.join(f'{one:5.2f}' for one in times.tolist())}  left {left:.0e}")
        print(f"   {name:21s} first {told[0]}   second {told[1]}")


if __name__ == "__main__":
    main()
