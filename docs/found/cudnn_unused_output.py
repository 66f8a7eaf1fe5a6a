"""Attention whose output the loss does not use: over cuDNN, its weights get a gradient from memory never written.

DistributedDataParallel with ``find_unused_parameters=True`` passes every output of a model through one autograd
function. Outputs that the loss does not use have no gradient there ("undefined"), and so have the parameters that only
they depend on. Needs one GPU whose attention can run over cuDNN; one process, gloo, and nothing but torch.

Exit code: 1 if such a parameter has a gradient, 0 if none has, 2 if this cannot run.
"""

from __future__ import annotations

import os
import sys
import traceback
from types import TracebackType


def cannot_run(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
    """Report the exception, and exit with 2: the default code, 1, would say that the fault is there."""
    traceback.print_exception(kind, error, at)
    sys.stderr.flush()
    os._exit(2)


sys.excepthook = cannot_run

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel


class TwoOutputs(nn.Module):
    """A layer, whose output the loss uses, and attention over it, whose output it does not use."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 64)
        self.attention = nn.Linear(64, 3 * 64)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """``x``: (4, 64, 64)."""
        hidden = self.layer(x)
        query, key, value = self.attention(hidden).view(4, 64, 3, 2, 32).permute(2, 0, 3, 1, 4)
        attended = nn.functional.scaled_dot_product_attention(query, key, value)
        return {"loss": hidden.float().square().mean(), "unused": attended}


def gradients(dtype: torch.dtype, backend: SDPBackend) -> dict[str, torch.Tensor | None]:
    """The gradients after one backward pass of the loss."""
    torch.manual_seed(0)
    model = nn.parallel.DistributedDataParallel(TwoOutputs().to("cuda", dtype), find_unused_parameters=True)
    with sdpa_kernel(backend):
        model(torch.randn(4, 64, 64, device="cuda", dtype=dtype))["loss"].backward()
    return {name: parameter.grad for name, parameter in model.module.named_parameters()}


def main() -> int:
    """Try both dtypes with three kernels."""
    if not torch.cuda.is_available():
        raise RuntimeError("this needs a GPU")
    print(f"torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}, {torch.cuda.get_device_name()}")
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29571", RANK="0", WORLD_SIZE="1")
    torch.distributed.init_process_group("gloo")
    wrong = False
    for dtype in (torch.bfloat16, torch.float16):
        for backend in (SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION):
            found = gradients(dtype, backend)
            unused = "no gradient" if found["attention.weight"] is None else "a gradient"
            print(f"{dtype}, {backend.name}: the weights of the unused attention have {unused}")
            wrong = wrong or found["attention.weight"] is not None
    torch.distributed.destroy_process_group()
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
