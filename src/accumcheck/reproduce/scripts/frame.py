"""The start and the end of every script: its docstring, its exit code, and the comparison."""

from __future__ import annotations

TOLERANCE = 1e-3

HEAD = '''\
"""{summary}

{more}
Run it on a CPU: {command}
Exit code: 1 if the fault is there, 0 if it is not, 2 if the script cannot run.
"""
import {standard}

def ended(kind, error, trace):
    if kind is not AssertionError:
        traceback.print_exception(kind, error, trace)
    sys.stdout.flush()
    os._exit(1 if kind is AssertionError else 2)

sys.excepthook = ended
os.environ.update(CUDA_VISIBLE_DEVICES="", ACCELERATE_USE_CPU="true", TOKENIZERS_PARALLELISM="false")
import torch
{imports}

B, K, N = {b}, {k}, {n}  # per-device batch size, gradient accumulation steps, processes
if int(os.environ.get("WORLD_SIZE", 1)) != N: raise RuntimeError(f"needs {{N}} processes; start it as shown above")
CONFIG = {config}
{noise}ROWS = [{rows}
]
'''

GRADIENT = """
def gradient(model):
    return torch.cat([torch.zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in model.parameters()])

torch.manual_seed(0)
"""

TAIL = """
off = ((seen[0] - right_gradient).norm() / right_gradient.norm()).item()
if os.environ.get("RANK", "0") == "0":
    print(f"loss {{loss:.4f}}, right {{right_loss:.4f}} (x {{loss / right_loss:.3f}}); "
          f"gradient norm {{seen[0].norm():.4f}}, right {{right_gradient.norm():.4f}}; off by {{off:.2g}}")
assert abs(loss - right_loss) <= {tolerance} * abs(right_loss), "the reported loss is wrong"
assert off <= {tolerance}, "the gradient is wrong"
"""
