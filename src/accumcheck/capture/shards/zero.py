"""Parameters under DeepSpeed's engine: ZeRO 1, 2 and 3, which keep gradients in buffers of their own.

The gradient is whole in no process. It can be gathered between the last micro-batch's backward and ``engine.step``, by
DeepSpeed's own ``safe_get_full_grad``; in the step of torch's optimizer, which the engine calls, it is gone (0.19.8).
DeepSpeed is asked for nothing unless the program has imported it.
"""

from __future__ import annotations

import functools
import gc
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from accumcheck.capture.patches import Patches, Seam
from accumcheck.errors import RefusedError, UnsupportedError

AGREEMENT = 1e-2
"""How far the norm that was read may be from the engine's own, which it sums in the precision of its gradients."""


@dataclass(frozen=True)
class Partitioned:
    """A parameter that an engine trains; under ZeRO 3 the parameter itself is in pieces too.

    ``engine``: None where parameters are cut up and no engine trains them; they have values and no gradients then.
    """

    name: str
    parameter: Any
    engine: Any

    @property
    def numel(self) -> int:
        """See `Whole.numel`."""
        return int(getattr(self.parameter, "ds_numel", self.parameter.numel()))

    @property
    def requires_grad(self) -> bool:
        """See `Whole.requires_grad`."""
        return bool(self.parameter.requires_grad)

    @property
    def dtype(self) -> torch.dtype:
        """See `Whole.dtype`."""
        found: torch.dtype = self.parameter.dtype
        return found

    def value(self) -> torch.Tensor:
        """See `Whole.value`."""
        if not hasattr(self.parameter, "ds_id"):
            whole: torch.Tensor = self.parameter.detach().reshape(-1)
            return whole
        with _deepspeed().zero.GatheredParameters([self.parameter]):
            whole = self.parameter.detach().reshape(-1).clone()
        if whole.numel() != self.numel:
            raise UnsupportedError(f"{self.name} was gathered with {whole.numel()} entries, but it has {self.numel}")
        return whole

    def gradient(self) -> torch.Tensor:
        """See `Whole.gradient`; without the scale that the engine puts on float16 losses.

        Raises:
            UnsupportedError: there is no engine that trains it, or the engine does not hand the gradient out.
        """
        if self.engine is None:
            raise UnsupportedError(f"DeepSpeed has cut up {self.name}, but no engine of it that trains it was found")
        # where a release leaves one, it is this process's own, and would be handed out in the place of the mean
        own, self.parameter.grad = self.parameter.grad, None
        try:
            found = _deepspeed().utils.safe_get_full_grad(self.parameter)
        except Exception as error:
            raise UnsupportedError(
                f"DeepSpeed {_release()} does not hand out the gradient of {self.name} before its step "
                f"({type(error).__name__}: {error}); run it without DeepSpeed, or with FSDP"
            ) from error
        finally:
            if own is not None:
                self.parameter.grad = own
        if found is None or found.numel() != self.numel:
            entries = "no gradient" if found is None else f"a gradient of {found.numel()} entries"
            raise UnsupportedError(
                f"DeepSpeed {_release()} hands out {entries} of {self.name}, which has {self.numel}; run it without "
                "DeepSpeed, or with FSDP"
            )
        whole: torch.Tensor = found.detach().reshape(-1) / loss_scale_of(self.engine)
        return whole


def is_partitioned(model: torch.nn.Module) -> bool:
    """Whether DeepSpeed has cut parameters of the model up, as ZeRO 3 does."""
    return any(hasattr(parameter, "ds_id") for parameter in model.parameters())


def engine_of(model: torch.nn.Module) -> Any:
    """The ``DeepSpeedEngine`` that trains the model; None where there is none."""
    if "deepspeed" not in sys.modules:
        return None
    for found in gc.get_objects():
        if not issubclass(type(found), torch.nn.Module):
            continue
        if any(kind.__name__ == "DeepSpeedEngine" for kind in type(found).__mro__):
            module = found.__dict__.get("_modules", {}).get("module")
            if module is not None and any(part is model for part in module.modules()):
                return found
    return None


def around_steps(patches: Patches, engine: Any, before: Callable[[], None], after: Callable[[], None]) -> None:
    """Be there at every step in which the engine updates its parameters, and not at those that only accumulate.

    Args:
        patches: undoes it.
        engine: a ``DeepSpeedEngine``.
        before: called when all micro-batches of the step were differentiated and reduced.
        after: called when the parameters were updated.
    """

    def observed_around(step: Any) -> Any:
        @functools.wraps(step)
        def observed(*args: Any, **kwargs: Any) -> Any:
            if not engine.is_gradient_accumulation_boundary():
                return step(*args, **kwargs)
            before()
            done = step(*args, **kwargs)
            after()
            return done

        return observed

    patches.wrap(Seam.ENGINE_STEP, engine, observed_around)


def check_engine(engine: Any) -> None:
    """What an engine may do beside ZeRO 1, 2 and 3 in data parallelism, which is all that was compared with the truth.

    Raises:
        UnsupportedError: it does.
    """
    found = [what for what, does in _beside(engine) if does]
    if found:
        raise UnsupportedError(
            f"DeepSpeed {_release()} trains with {', '.join(found)}: what gradient it applies then is not seen here; "
            "ZeRO 1, 2 and 3 without it are"
        )


def _beside(engine: Any) -> list[tuple[str, bool]]:
    stage = int(engine.zero_optimization_stage())
    return [
        (f"ZeRO stage {stage}", stage not in (1, 2, 3)),
        ("an offloaded optimizer", bool(_told(engine, "zero_offload_optimizer") or _told(engine, "zero_cpu_offload"))),
        ("offloaded parameters", bool(_told(engine, "zero_offload_param"))),
        ("managed_gradient_accumulation: false", _told(engine, "managed_gradient_accumulation") is False),
        ("ZenFlow", bool(getattr(engine, "zenflow", False))),
        ("an optimizer that reduces gradients itself", not getattr(engine, "enable_backward_allreduce", True)),
        ("mixture-of-experts layers of its own", bool(getattr(engine, "has_moe_layers", False))),
        ("tensor parallelism", int(getattr(engine, "mp_world_size", 1) or 1) > 1),
        ("sequence parallelism", int(getattr(engine, "sequence_parallel_size", 1) or 1) > 1),
    ]


def _told(engine: Any, name: str) -> Any:
    """What a method of the engine says; None where the release has none. Offloading to ``none`` is no offloading."""
    answer = getattr(type(engine), name, None)
    told = None if answer is None else answer(engine)
    device = getattr(told, "device", None)
    return None if device is not None and str(getattr(device, "value", device)) == "none" else told


def cast_by(engine: Any) -> str:
    """What to say of weights that the engine was told to hold in 16 bits, whatever they were made in; else nothing."""
    for name, dtype in (("bfloat16_enabled", "bfloat16"), ("fp16_enabled", "float16")):
        if _told(engine, name):
            return f", whose weights DeepSpeed has cast to {dtype}, in which the model is to be made"
    return ""


def loss_scale_of(engine: Any) -> float:
    """The factor on losses, and so on gradients until the step: 1 unless the engine trains in float16."""
    return float(getattr(engine.optimizer, "loss_scale", 1.0))


def check_norm(engine: Any, norm: float) -> None:
    """Whether the engine has applied the gradient that was read, by the norm that it has computed of it.

    Args:
        engine: after its step.
        norm: of what was read before it.

    Raises:
        RefusedError: it is another gradient, or the step was left out.
        UnsupportedError: the engine does not say.
    """
    if getattr(engine.optimizer, "overflow", False):
        raise RefusedError(
            "DeepSpeed left an optimizer step out, since a gradient is not finite (loss scale from now on: "
            f"{loss_scale_of(engine):g}); in float16 begin with a smaller one (initial_scale_power: 8 in DeepSpeed's "
            "configuration), else look for what is not finite"
        )
    own = engine.get_global_grad_norm()
    if own is None:
        raise UnsupportedError(
            "DeepSpeed computes no gradient norm, by which what was read is compared with what it applies; let it "
            "(leave compute_grad_norm out of its configuration)"
        )
    own = float(own)
    if not math.isfinite(norm) and not math.isfinite(own):
        return
    if not math.isclose(norm, own, rel_tol=AGREEMENT, abs_tol=1e-12):
        raise RefusedError(
            f"the gradient that DeepSpeed {_release()} hands out has a norm of {norm:.6g}, the one that it applies has "
            f"{own:.6g}: they are not the same, and what is applied is not seen"
        )


def _deepspeed() -> Any:
    """The package, which the program has imported."""
    return sys.modules["deepspeed"]


def _release() -> str:
    return str(getattr(sys.modules.get("deepspeed"), "__version__", ""))
