"""Parameters under DeepSpeed's engine: ZeRO 1, 2 and 3, which keep gradients in their own buffers, and stage 0.

At stage 0 gradients are in the parameters' ``grad``. Under ZeRO no process has the whole gradient. It can be gathered
between the last micro-batch's backward and ``engine.step``, by DeepSpeed's own ``safe_get_full_grad``; in the step of
torch's optimizer, which the engine calls, it is gone (0.19.8). DeepSpeed is never imported here; it is used only if the
program has imported it.
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
from accumcheck.capture.shards.whole import flat_of
from accumcheck.errors import RefusedError, UnsupportedError
from accumcheck.record.observed import Engine

AGREEMENT = 1e-2
"""Allowed difference between the norm read here and the engine's own, which is summed in its gradients' precision."""


@dataclass(frozen=True)
class Partitioned:
    """A parameter that an engine trains; under ZeRO 3 the parameter itself is in pieces too.

    ``engine``: None if parameters are partitioned but no engine trains them; then they have values and no gradients.
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
            UnsupportedError: no engine trains it, or the engine does not return the gradient.
        """
        if self.engine is None:
            raise UnsupportedError(f"DeepSpeed has partitioned {self.name}, but no engine that trains it was found")
        return self._scaled_gradient().reshape(-1) / loss_scale_of(self.engine)

    def _scaled_gradient(self) -> torch.Tensor:
        if not is_zero(self.engine):
            grad = self.parameter.grad
            return flat_of(torch.zeros_like(self.parameter) if grad is None else grad)
        # ZeRO 1 with bfloat16 weights and float32 accumulation: every process has the whole gradient, already reduced
        if (added := getattr(self.parameter, "_hp_grad", None)) is not None:
            return flat_of(added)
        # a .grad that some releases leave is this process's own, and would be returned instead of the mean
        own, self.parameter.grad = self.parameter.grad, None
        try:
            found = _deepspeed().utils.safe_get_full_grad(self.parameter)
        except Exception as error:
            raise UnsupportedError(
                f"DeepSpeed {release()} does not return the gradient of {self.name} before its step "
                f"({type(error).__name__}: {error}); run it without DeepSpeed, or with FSDP"
            ) from error
        finally:
            if own is not None:
                self.parameter.grad = own
        if found is None or found.numel() != self.numel:
            entries = "no gradient" if found is None else f"a gradient of {found.numel()} entries"
            raise UnsupportedError(
                f"DeepSpeed {release()} returns {entries} for {self.name}, which has {self.numel}; run it without "
                "DeepSpeed, or with FSDP"
            )
        whole: torch.Tensor = found.detach()
        return whole


def is_partitioned(model: torch.nn.Module) -> bool:
    """Whether DeepSpeed has partitioned parameters of the model, as ZeRO 3 does."""
    return any(hasattr(parameter, "ds_id") for parameter in model.parameters())


def engine_of(model: torch.nn.Module) -> Any:
    """The ``DeepSpeedEngine`` that trains the model; None if there is none."""
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


def is_zero(engine: Any) -> bool:
    """Whether an engine keeps gradients in its own buffers, as all stages except 0 do."""
    return int(engine.zero_optimization_stage()) != 0


def around_steps(patches: Patches, engine: Any, before: Callable[[], None], after: Callable[[], None]) -> None:
    """Call functions around every engine step that updates parameters, not around those that only accumulate.

    Args:
        patches: undoes it.
        engine: a ``DeepSpeedEngine``.
        before: called after all micro-batches of the step were differentiated and reduced.
        after: called after the parameters were updated.
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
    """Refuse engine features other than stages 0 to 3 in data parallelism, the only ones that were validated.

    Raises:
        UnsupportedError: the engine uses one.
    """
    found = [feature for feature, is_used in _unsupported(engine) if is_used]
    if found:
        raise UnsupportedError(
            f"DeepSpeed {release()} trains with {', '.join(found)}: accumcheck cannot see the gradient applied then; "
            "use stage 0, 1, 2 or 3 without this feature"
        )


def _unsupported(engine: Any) -> list[tuple[str, bool]]:
    """The features that were not validated, each with whether the engine uses it."""
    stage = int(engine.zero_optimization_stage())
    offload = _told(engine, "zero_offload_optimizer")
    optimizer = "" if offload is None else _device_of(offload)
    return [
        (f"ZeRO stage {stage}", stage not in (0, 1, 2, 3)),
        (f"an optimizer offloaded to {optimizer}", optimizer not in ("", "cpu")),
        ("offloaded parameters", bool(_told(engine, "zero_offload_param"))),
        ("managed_gradient_accumulation: false", _told(engine, "managed_gradient_accumulation") is False),
        ("apex's amp", bool(_told(engine, "amp_enabled"))),
        ("a gradient scaler of torch's autocast", getattr(engine, "torch_autocast_z0_gradscaler", None) is not None),
        ("ZenFlow", bool(getattr(engine, "zenflow", False))),
        ("an optimizer that reduces gradients itself", not getattr(engine, "enable_backward_allreduce", True)),
        ("mixture-of-experts layers of its own", bool(getattr(engine, "has_moe_layers", False))),
        ("tensor parallelism", int(getattr(engine, "mp_world_size", 1) or 1) > 1),
        ("sequence parallelism", int(getattr(engine, "sequence_parallel_size", 1) or 1) > 1),
    ]


def _told(engine: Any, name: str) -> Any:
    """The result of a method of the engine; None if the release does not have it, or for an offload to ``none``."""
    answer = getattr(type(engine), name, None)
    told = None if answer is None else answer(engine)
    return None if _device_of(told) == "none" else told


def _device_of(offload: Any) -> str:
    """The offload device in this part of a configuration: ``none``, ``cpu`` or ``nvme``; empty for other parts."""
    device = getattr(offload, "device", None)
    return "" if device is None else str(getattr(device, "value", device))


def described(engine: Any) -> Engine:
    """The release of an engine, and the dtype to which it has cast the weights."""
    for name, dtype in (("bfloat16_enabled", torch.bfloat16), ("fp16_enabled", torch.float16)):
        if _told(engine, name):
            casts_buffers = any(buffer.dtype == dtype for buffer in engine.module.buffers())
            return Engine(release(), str(dtype).removeprefix("torch."), casts_buffers)
    return Engine(release())


def loss_scale_of(engine: Any) -> float:
    """The factor on losses, and on gradients before the step: 1 unless the engine trains in float16."""
    return float(getattr(engine.optimizer, "loss_scale", 1.0))


def check_norm(engine: Any, norm: float) -> None:
    """Require that the engine has applied the gradient that was read, by comparing norms.

    Args:
        engine: after its step.
        norm: of the gradient that was read before the step.

    Raises:
        RefusedError: it is another gradient, or the step was skipped.
        UnsupportedError: the engine computes no norm.
    """
    if getattr(engine.optimizer, "overflow", False):
        raise RefusedError(
            "DeepSpeed skipped an optimizer step because a gradient is not finite (loss scale from now on: "
            f"{loss_scale_of(engine):g}); in float16 start with a smaller one (initial_scale_power: 8 in DeepSpeed's "
            "configuration), otherwise look for the value that is not finite"
        )
    if not is_zero(engine):
        return  # the gradient was read from the parameters themselves, so it is the applied one
    own = engine.get_global_grad_norm()
    if own is None:
        raise UnsupportedError(
            "DeepSpeed computes no gradient norm, so the gradient that was read cannot be compared with the applied "
            "one; remove compute_grad_norm from its configuration"
        )
    own = float(own)
    if not math.isfinite(norm) and not math.isfinite(own):
        return
    if not math.isclose(norm, own, rel_tol=AGREEMENT, abs_tol=1e-12):
        raise RefusedError(
            f"the gradient that DeepSpeed {release()} returns has a norm of {norm:.6g}, the one that it applies has "
            f"{own:.6g}: they differ, so accumcheck cannot see the applied gradient"
        )


def _deepspeed() -> Any:
    """The package, if the program has imported it."""
    return sys.modules["deepspeed"]


def release() -> str:
    """The release of DeepSpeed that the program has imported; empty if it has not."""
    return str(getattr(sys.modules.get("deepspeed"), "__version__", ""))
