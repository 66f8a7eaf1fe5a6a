"""A training loop as diffusion models have it: noise and time steps are drawn for every micro-batch, in the loop."""

from __future__ import annotations

import argparse
from typing import Any

import torch


class Model(torch.nn.Module):
    """Guesses the noise in a picture of eight pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.time = torch.nn.Embedding(10, 8)
        self.inner = torch.nn.Linear(8, 16)
        self.outer = torch.nn.Linear(16, 8)

    def forward(self, noisy: torch.Tensor, timesteps: torch.Tensor) -> torch.Tensor:
        return self.outer(torch.tanh(self.inner(noisy + self.time(timesteps))))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--accumulate", type=int, required=True)
    parser.add_argument("--undivided", action="store_true", help="forget to divide by the accumulation steps")
    options = parser.parse_args()
    torch.manual_seed(0)
    model = Model()
    data = torch.randn(64, 8)
    loader: Any = torch.utils.data.DataLoader(list(data), batch_size=options.batch)  # type: ignore[arg-type]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for at, pictures in enumerate(loader, start=1):
        noise = torch.randn_like(pictures)
        steps = torch.randint(0, 10, (len(pictures),))
        share = (steps / 10).unsqueeze(1)
        guess = model((1 - share) * pictures + share * noise, steps)
        loss = torch.nn.functional.mse_loss(guess, noise)
        (loss if options.undivided else loss / options.accumulate).backward()
        if at % options.accumulate == 0:
            optimizer.step()
            optimizer.zero_grad()


if __name__ == "__main__":
    main()
