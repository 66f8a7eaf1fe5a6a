"""The worked example of docs/method.md: four samples, one faulty stack, and what its gradient gives away.

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
    gradients = np.stack([gradient_of(loss_of([member])) for member in range(4)])  # g_i, one row a sample
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


if __name__ == "__main__":
    main()
