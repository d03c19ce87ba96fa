"""What holds for every operator of the table, whatever it computes."""

from __future__ import annotations

import doctest
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.testing import assert_close

import reidops
from reidops import _library as library
from tests.reidops.ops_table import OPERATORS, OPS, Op, Operator

HALVES = (torch.float16, torch.bfloat16)


@pytest.fixture(params=OPS, ids=lambda op: op.name)
def op(request: pytest.FixtureRequest) -> Op:
    return request.param


@pytest.fixture(params=["cpu", *([pytest.param("cuda", marks=pytest.mark.cuda)] if torch.cuda.is_available() else [])])
def device(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def inputs(op: Op, device: str) -> tuple[Tensor, ...]:
    return tuple(value.to(device, torch.float32) for value in op.inputs())


def parts(result: Any) -> tuple[Tensor, ...]:
    return (result,) if isinstance(result, Tensor) else tuple(result)


def with_gradients(op: Op, function: Callable[..., Any], inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Results and gradients of their weighted sum."""
    inputs = tuple(value.detach().clone().requires_grad_() for value in inputs)
    result = function(*inputs)
    scored = op.differentiable(result)
    weights = torch.linspace(0.5, 1.5, scored.numel(), dtype=scored.dtype, device=scored.device)
    (scored * weights.reshape(scored.shape)).sum().backward()
    assert all(value.grad is not None for value in inputs)
    return *(one.detach() for one in parts(result)), *(value.grad for value in inputs if value.grad is not None)


@pytest.mark.parametrize("name", sorted({op.name.split("-")[0] for op in OPS}))
def test_example_of_the_docstring_runs(name: str) -> None:
    (example,) = doctest.DocTestFinder(recurse=False).find(getattr(reidops, name), name)
    outcome = doctest.DocTestRunner().run(example)
    assert (outcome.attempted >= 3, outcome.failed) == (True, 0)


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
def test_opcheck(operator: Operator) -> None:
    outcome = torch.library.opcheck(getattr(torch.ops.reidops, operator.name).default, operator.inputs())
    assert set(outcome.values()) == {"SUCCESS"}


def test_compiles_into_one_graph(op: Op, inputs: tuple[Tensor, ...]) -> None:
    torch._dynamo.reset()
    compiled = torch.compile(op.function, fullgraph=True, backend="aot_eager")
    assert_close(with_gradients(op, compiled, inputs), with_gradients(op, op.function, inputs))


@pytest.mark.parametrize("images", [1, 2])
@pytest.mark.parametrize("learned", ["probe", "gallery", "both"])
def test_compiled_backward_leaves_the_maps_alone(images: int, learned: str) -> None:
    torch._dynamo.reset()
    maps = {"probe": torch.rand(images, 6, 1, 3), "gallery": torch.rand(images, 6, 1, 4)}
    before = {name: value.clone() for name, value in maps.items()}
    wanted = [value.requires_grad_() for name, value in maps.items() if learned in (name, "both")]
    expected = torch.autograd.grad(reidops.dsr_distance(**maps).sum(), wanted)
    compiled = torch.compile(reidops.dsr_distance, fullgraph=True)
    assert_close(torch.autograd.grad(compiled(**maps).sum(), wanted), expected)
    assert all(torch.equal(value, before[name]) for name, value in maps.items())


@pytest.mark.parametrize("function", [reidops.sparse_reconstruct, reidops.dsr_distance], ids=lambda one: one.__name__)
def test_compiles_with_numbers_that_change(function: Callable[..., Any]) -> None:
    """The second number makes a symbol of it."""
    torch._dynamo.reset()
    given = torch.rand(2, 6, 2, 3), torch.rand(2, 6, 2, 3)
    compiled = torch.compile(lambda x, y, beta: function(x, y, beta), fullgraph=True, backend="aot_eager")
    for beta in (0.4, 0.5, 0.6):
        assert_close(parts(compiled(*given, beta)), parts(function(*given, beta)))


def test_exports(op: Op, inputs: tuple[Tensor, ...]) -> None:
    class Module(torch.nn.Module):
        def forward(self, *given: Tensor) -> Any:
            return op.function(*given)

    exported = torch.export.export(Module(), inputs)
    assert op.operator is None or op.operator in str(exported.graph)
    assert_close(parts(exported.module()(*inputs)), parts(op.function(*inputs)))


@pytest.mark.parametrize("mapped", ["all", "first", "second"])
def test_vmap_is_a_loop(op: Op, inputs: tuple[Tensor, ...], mapped: str) -> None:
    places = range(len(inputs)) if mapped == "all" else (("first", "second").index(mapped),)
    in_dims = tuple(0 if place in places else None for place in range(len(inputs)))
    scales = torch.tensor([1.0, 0.8, 1.2], device=inputs[0].device)
    given = tuple(
        value if dim is None else torch.stack([value * scale for scale in scales])
        for value, dim in zip(inputs, in_dims, strict=True)
    )
    one_by_one = [
        op.function(*(value if dim is None else value[i] for value, dim in zip(given, in_dims, strict=True)))
        for i in range(len(scales))
    ]
    together = parts(torch.vmap(op.function, in_dims)(*given))
    assert_close(together, tuple(torch.stack(same) for same in zip(*map(parts, one_by_one), strict=True)))


def test_gradients_pass_through_vmap(op: Op, inputs: tuple[Tensor, ...]) -> None:
    given = tuple(torch.stack([value, 0.9 * value]) for value in inputs)

    def loop(*stacks: Tensor) -> Any:
        results = [parts(op.function(*items)) for items in zip(*stacks, strict=True)]
        stacked = [torch.stack(same) for same in zip(*results, strict=True)]
        return stacked[0] if len(stacked) == 1 else type(op.function(*inputs))(*stacked)

    assert_close(with_gradients(op, torch.vmap(op.function), given), with_gradients(op, loop, given))


REFUSED = r"^\w+: derivatives are reverse-mode only"


@pytest.mark.parametrize("which", ["first", "last"])
def test_forward_mode_is_right_or_refused(op: Op, inputs: tuple[Tensor, ...], which: str) -> None:
    """As `backward` has it: <w, J t> = <J'w, t>; plain, under vmap, and over a gradient."""
    place = 0 if which == "first" else len(inputs) - 1
    value = inputs[place].double()
    others = tuple(one.double() for one in inputs)
    tangent = torch.linspace(0.5, 1.5, value.numel()).to(value).reshape(value.shape)

    def call(value: Tensor) -> Tensor:
        return op.differentiable(op.function(*others[:place], value, *others[place + 1 :]))

    def dual() -> Tensor | None:
        with forward_ad.dual_level():
            return forward_ad.unpack_dual(call(forward_ad.make_dual(value, tangent))).tangent

    found = (
        dual,
        lambda: torch.func.jvp(call, (value,), (tangent,))[1],
        lambda: torch.func.jvp(torch.vmap(call), (value[None],), (tangent[None],))[1][0],
    )
    if not op.forward_mode:
        for way in (*found, lambda: torch.func.jvp(torch.func.grad(lambda x: call(x).sum()), (value,), (tangent,))):
            with pytest.raises(NotImplementedError, match=REFUSED):
                way()
        return
    along = torch.linspace(0.5, 1.5, call(value).numel()).to(value).reshape(call(value).shape)
    pulled = torch.func.vjp(call, value)[1](along)[0]
    for way in found:
        moved = way()
        assert moved is not None
        assert_close((moved * along).sum(), (pulled * tangent).sum())


def test_torch_func_has_the_gradients_of_backward(op: Op, inputs: tuple[Tensor, ...]) -> None:
    def loss(*given: Tensor) -> Tensor:
        return op.differentiable(op.function(*given)).square().sum()

    given = tuple(value.double().requires_grad_() for value in inputs)
    expected = torch.autograd.grad(loss(*given), given)
    plain = tuple(value.detach() for value in given)
    places = tuple(range(len(plain)))
    assert_close(torch.func.grad(loss, places)(*plain), expected)
    assert_close(torch.func.jacrev(loss, places)(*plain), expected)


def test_second_derivatives_are_right_or_refused(op: Op, inputs: tuple[Tensor, ...]) -> None:
    """Against differences of gradients along a direction."""
    given = tuple(value.double() for value in inputs)
    along = tuple(torch.linspace(0.5, 1.5, value.numel()).to(value).reshape(value.shape) for value in given)

    def slope(*given: Tensor) -> Tensor:
        given = tuple(value if value.requires_grad else value.requires_grad_() for value in given)
        loss = op.differentiable(op.function(*given)).square().sum()
        grads = torch.autograd.grad(loss, given, create_graph=True)
        return sum((grad * one).sum() for grad, one in zip(grads, along, strict=True))  # type: ignore[return-value]

    leaves = tuple(value.clone().requires_grad_() for value in given)
    if not op.forward_mode:
        with pytest.raises(NotImplementedError, match="second derivatives are refused"):
            slope(*leaves).backward()
        return
    found = torch.autograd.grad(slope(*leaves), leaves)
    step = 1e-6
    ahead, behind = (slope(*(x + sign * step * d for x, d in zip(given, along, strict=True))) for sign in (1, -1))
    moved = sum((grad * one).sum() for grad, one in zip(found, along, strict=True))
    assert_close(moved, ((ahead - behind) / (2 * step)).detach(), rtol=1e-5, atol=1e-5)


def test_a_tangent_in_the_incoming_gradient_is_right_or_refused(op: Op, inputs: tuple[Tensor, ...]) -> None:
    """Forward over reverse, where the tangent starts behind the operator: backward must not drop it."""
    given = tuple(value.clone().requires_grad_() for value in inputs)
    scored = op.differentiable(op.function(*given))
    tangent = torch.linspace(0.5, 1.5, scored.numel()).to(scored).reshape(scored.shape)
    expected = torch.autograd.grad(scored, given, tangent, retain_graph=True)  # backward is linear in the gradient
    with forward_ad.dual_level():
        try:
            grads = torch.autograd.grad(scored, given, forward_ad.make_dual(torch.ones_like(scored), tangent))
        except NotImplementedError as refusal:
            assert "derivatives are reverse-mode only" in str(refusal)  # noqa: PT017
        else:
            assert_close(tuple(forward_ad.unpack_dual(grad).tangent for grad in grads), expected)


def test_vmap_without_a_tangent_works_beside_forward_mode(op: Op, inputs: tuple[Tensor, ...]) -> None:
    stacked = tuple(value[None] for value in inputs)
    with forward_ad.dual_level():
        together = parts(torch.vmap(op.function)(*stacked))
    assert_close(together, tuple(value[None] for value in parts(op.function(*inputs))))


@pytest.mark.parametrize("dtype", HALVES, ids=str)
def test_autocast_computes_in_float32(op: Op, inputs: tuple[Tensor, ...], dtype: torch.dtype) -> None:
    expected = parts(op.function(*inputs))
    with torch.autocast(inputs[0].device.type, dtype=dtype):
        same, halves = parts(op.function(*inputs)), parts(op.function(*(value.to(dtype) for value in inputs)))
    assert_close(same, expected, rtol=0, atol=0)
    assert {value.dtype for value in halves} == {torch.float32}


@pytest.mark.parametrize("dtype", [*HALVES, torch.float32, torch.float64], ids=str)
def test_results_have_the_inputs_dtype(op: Op, inputs: tuple[Tensor, ...], dtype: torch.dtype) -> None:
    results = parts(op.function(*(value.to(dtype) for value in inputs)))
    assert {value.dtype for value in results} == {dtype}
    if dtype in HALVES:  # summed in float32 and rounded once
        exact = parts(op.function(*(value.to(dtype).float() for value in inputs)))
        # Half maps have a product of their own, which sums in another order than that of float32: what is rounded once
        # may then be the neighbour. A gap is a difference: it moves by float32's rounding of what is subtracted.
        eps, atol = (
            (torch.finfo(dtype).eps, 4 * torch.finfo(torch.float32).eps) if op.name.startswith("dsr") else (0, 0)
        )
        assert_close(results, tuple(value.to(dtype) for value in exact), rtol=eps, atol=atol)


@pytest.mark.parametrize("layout", ["transposed", "every other", "offset"])
def test_any_strides(op: Op, inputs: tuple[Tensor, ...], layout: str) -> None:
    def laid_out(value: Tensor) -> Tensor:
        if layout == "transposed":
            return value.mT.contiguous().mT
        if layout == "every other":
            return torch.stack([value, torch.full_like(value, torch.nan)], dim=-1)[..., 0]
        return torch.nn.functional.pad(value, (1, 1), value=torch.nan)[..., 1:-1]

    strided = tuple(map(laid_out, inputs))
    assert all(a.stride() != b.stride() for a, b in zip(strided, inputs, strict=True))
    assert_close(with_gradients(op, op.function, strided), with_gradients(op, op.function, inputs))
    assert_close(parts(op.function(*strided)), parts(op.function(*inputs)))


def test_empty(op: Op, device: str) -> None:
    for shapes in op.empty:
        given = tuple(torch.ones(shape, device=device, requires_grad=True) for shape in shapes)
        scored = op.differentiable(op.function(*given))
        scored.sum().backward()
        assert all(value.grad is not None and bool((value.grad == value.grad).all()) for value in given), shapes


def test_same_input_same_bits(op: Op, inputs: tuple[Tensor, ...]) -> None:
    first = with_gradients(op, op.function, inputs)
    for _ in range(3):
        assert all(torch.equal(a, b) for a, b in zip(with_gradients(op, op.function, inputs), first, strict=True))


def test_no_gradient_changes_nothing(op: Op, inputs: tuple[Tensor, ...]) -> None:
    expected = parts(op.function(*(value.clone().requires_grad_() for value in inputs)))
    for guard in (torch.no_grad(), torch.inference_mode()):
        with guard:
            results = parts(op.function(*inputs))
        assert not any(value.requires_grad for value in results)
        assert_close(results, tuple(value.detach() for value in expected), rtol=0, atol=0)


def test_inputs_are_left_alone(op: Op, inputs: tuple[Tensor, ...]) -> None:
    before = tuple(value.clone() for value in inputs)
    op.function(*inputs)
    assert all(torch.equal(a, b) for a, b in zip(inputs, before, strict=True))


def test_integers_and_mixtures_are_refused(op: Op, inputs: tuple[Tensor, ...]) -> None:
    name = op.name.split("-")[0]
    for i in range(len(inputs)):
        for dtype, words in ((torch.int64, "must be float32"), (torch.float64, "dtype")):
            given = [value.to(dtype) if j == i else value for j, value in enumerate(inputs)]
            with pytest.raises(TypeError, match=rf"^{name}: .*{words}.*got"):
                op.function(*given)
    with pytest.raises(ValueError, match=rf"^{name}: .*device.*got"):
        op.function(inputs[0], inputs[1].to("meta"), *inputs[2:])


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.skipif(library.CUDA_MISSING is not None, reason=f"no CUDA kernels: {library.CUDA_MISSING}")
def test_captured_in_a_cuda_graph(op: Op) -> None:
    given = tuple(value.to("cuda", torch.float32) for value in op.inputs())
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        op.function(*given)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = parts(op.function(*given))
    for value in given:
        value.mul_(0.9)
    graph.replay()
    assert_close(captured, parts(op.function(*given)))
