"""Derivatives of operators in both modes, of any order and under torch.func: one registration for all of them.

`torch.library.register_autograd` has no forward mode: it drops a tangent in silence.  It also refuses `torch.func.grad`
and its kin.  So an operator registers here instead.  Its kernel for the dispatch key Autograd is a Function of a single
level, which is what torch.func makes of any Function, once for each of its levels; what is below is the next level, or
the operator itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._functorch import autograd_function
from torch.autograd import forward_ad
from torch.autograd.function import _SingleLevelFunction

from .registration import reverse_mode_only

_registrations = torch.library.Library("reidops", "FRAGMENT")  # they last as long as this object does

_REFUSED = "derivatives are reverse-mode only, got an input with a forward-mode tangent"


def register_derivatives(
    op: str,
    setup_context: Callable[[Any, tuple[Any, ...], Any], None],
    backward: Callable[..., Any],
    jvp: Callable[..., Any] | None = None,
) -> None:
    """Tells torch the derivatives of the operator ``op``, "reidops::...".

    The three functions are those of a `torch.autograd.Function`, for the operator's arguments.  Where ``jvp`` is None
    an input with a tangent raises NotImplementedError.  Saved tensors are kept by :func:`keep`.
    """
    name = op.split("::")[1]
    overload = getattr(torch.ops.reidops, name).default

    def forward(*args: Any) -> Any:
        # A Function switches both modes off, but the levels below have derivatives of their own to record.
        with torch._C._AutoDispatchBelowAutograd(), torch.enable_grad(), forward_ad._set_fwd_grad_enabled(True):
            return overload(*args)

    def forward_mode(ctx: Any, *tangents: Tensor | None) -> Any:
        if jvp is None:
            raise NotImplementedError(f"{name}: {_REFUSED}")
        # Torch switches forward mode off here, and with it that of the levels below.
        kept = [value if value is None else forward_ad.unpack_dual(value).primal for value in ctx.saved_tensors]
        with forward_ad._set_fwd_grad_enabled(True):
            return jvp(ctx, kept, *tangents)

    parts: dict[str, Callable[..., Any]] = {
        "forward": forward,
        "setup_context": setup_context,
        "backward": backward,
        "jvp": forward_mode,
    }
    level: Any = type(name, (_SingleLevelFunction,), {key: staticmethod(part) for key, part in parts.items()})

    def kernel(*args: Any) -> Any:
        if torch._C._are_functorch_transforms_active():
            with autograd_function.enable_single_level_autograd_function():  # type: ignore[attr-defined]
                return level.apply(*args)
        recorded = torch.is_grad_enabled() and torch._C._any_requires_grad(*args)
        if recorded or forward_ad._current_level >= 0:
            return level.apply(*args)
        with torch._C._AutoDispatchBelowAutograd():
            return overload(*args)

    _registrations.impl(name, kernel, "Autograd")


def keep(ctx: Any, *tensors: Tensor | None) -> None:
    """Saves tensors for backward and for jvp."""
    ctx.save_for_backward(*tensors)
    ctx.save_for_forward(*tensors)


def once_differentiable(op: str, *tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors, for a formula in torch that holds constant what it computes from them.

    Its gradients by them are right; a tangent, or a gradient of a gradient, raises NotImplementedError.
    """
    reverse_mode_only(op, *tensors)
    recorded = torch.is_grad_enabled() and any(value.requires_grad for value in tensors)
    transformed = not torch.compiler.is_compiling() and torch._C._are_functorch_transforms_active()
    if not recorded and not transformed:
        return tensors
    every = torch.stack([value.sum() for value in tensors]).sum()  # no value: a link to what any of them depends on
    return tuple(torch.ops.reidops.once_differentiable(value, every, op) for value in tensors)


def first_derivatives_only(op: str, grad: Tensor, source: Tensor) -> Tensor:
    """``grad``, to be used in the backward of a formula that holds something constant which depends on ``source``.

    A gradient of the result that would have to follow ``source`` raises NotImplementedError, instead of leaving that
    part out.  One that follows ``grad`` alone is right.
    """
    if not (torch.is_grad_enabled() and source.requires_grad):
        return grad
    zero: Tensor = _Zero.apply(op, source)
    return grad + zero


class _Zero(torch.autograd.Function):
    """A zero that depends on `source`, whose derivative is refused."""

    generate_vmap_rule = True

    @staticmethod
    def forward(op: str, source: Tensor) -> Tensor:
        return source.new_zeros(())

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.op, _ = inputs

    @staticmethod
    def backward(ctx: Any, *_: Any) -> None:
        raise NotImplementedError(f"{ctx.op}: the coefficients are held constant, so second derivatives are refused")

    @staticmethod
    def jvp(ctx: Any, *_: Any) -> None:
        raise NotImplementedError(f"{ctx.op}: {_REFUSED}")


_ONCE = "reidops::once_differentiable"
torch.library.define(_ONCE, "(Tensor value, Tensor every, str op) -> Tensor")


@torch.library.impl(_ONCE, "CompositeExplicitAutograd")
def _once_differentiable(value: Tensor, every: Tensor, op: str) -> Tensor:
    return value.clone()


@torch.library.register_fake(_ONCE)
def _fake(value: Tensor, every: Tensor, op: str) -> Tensor:
    return torch.empty_like(value)


@torch.library.register_vmap(_ONCE)
def _vmap(info: Any, in_dims: tuple[int | None, ...], value: Tensor, every: Tensor, op: str) -> tuple[Any, int | None]:
    return torch.ops.reidops.once_differentiable(value, every, op), in_dims[0]


def _setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    _, every, ctx.op = inputs
    ctx.save_for_backward(every)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
    return first_derivatives_only(ctx.op, grad, *ctx.saved_tensors), None, None


register_derivatives(_ONCE, _setup_context, _backward)
