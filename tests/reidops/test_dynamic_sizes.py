"""Graphs that serve every size: ``torch.compile(dynamic=True)`` and ``torch.export`` with dynamic dimensions.

torch makes a symbol of each size but for 0 and 1, which are constants of the graph, and for sizes that are equal at the
first call, which become one symbol ("duck sizing"): a call where they differ compiles again, whatever is compiled.  So
the sizes here are all different, and at least 2.  What is left is ours: one graph has to do.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.testing import CompileCounterWithBackend
from torch.testing import assert_close

from tests.reidops.ops_table import OPS, Op
from tests.reidops.test_common_rules import parts, with_gradients

pytestmark = pytest.mark.usefixtures("one_thread")

CALLS = (1, 2, 4)
#: An operator, and what is made of several; opcheck has the others' gradients at symbolic sizes.
WITH_GRADIENTS = ("affine_sample-zeros", "dsr_distance-single_scale")


#: Their graphs are those of the active set but for a number, and of dsr_distance-gap but for a scale more.
LIKE_ANOTHER = (
    "sparse_reconstruct-feature_sign",
    "sparse_reconstruct-coordinate_descent",
    "dsr_distance-multi_scale",
)


@pytest.fixture(params=[op for op in OPS if op.name not in LIKE_ANOTHER], ids=lambda op: op.name)
def op(request: pytest.FixtureRequest) -> Op:
    return request.param


def sizes_of(op: Op, call: int) -> dict[str, int]:
    """All different, larger at each call, and in the order that they have in the table: a template fits its map."""
    first = {
        name: size
        for value, names in zip(op.inputs(), op.sizes, strict=True)
        for name, size in zip(names.split(), value.shape, strict=True)
    }
    least = 1 + call + max([1, *(int(name) for name in first if name.isdigit())])
    sizes: dict[str, int] = {}
    for name, size in sorted(first.items(), key=lambda item: item[1]):
        if not name.isdigit():
            sizes[name] = max(size + call, least)
            least = sizes[name] + 1
    return sizes


def inputs_of(op: Op, call: int) -> tuple[Tensor, ...]:
    """The table's inputs, repeated up to these sizes, each value a little other."""
    sizes, generator = sizes_of(op, call), torch.Generator().manual_seed(call)
    inputs = []
    for value, names in zip(op.inputs(), op.sizes, strict=True):
        for dim, name in enumerate(names.split()):
            if not name.isdigit():
                value = value.index_select(dim, torch.arange(sizes[name]) % value.shape[dim])
        inputs.append((value * (0.9 + 0.2 * torch.rand(value.shape, generator=generator))).float())
    return tuple(inputs)


def test_sizes_are_all_different(op: Op) -> None:
    calls = [sizes_of(op, call) for call in CALLS]
    assert all(len(set(sizes.values())) == len(sizes) and min(sizes.values()) > 1 for sizes in calls)
    assert all(len({sizes[name] for sizes in calls}) == len(CALLS) for name in calls[0])


def test_one_compiled_graph_serves_all_sizes(op: Op) -> None:
    torch._dynamo.reset()
    counter = CompileCounterWithBackend("eager")
    compiled = torch.compile(op.function, fullgraph=True, dynamic=True, backend=counter)
    for call in CALLS:
        given = inputs_of(op, call)
        assert_close(parts(compiled(*given)), parts(op.function(*given)))
    assert counter.frame_count == 1


@pytest.mark.parametrize("op", [op for op in OPS if op.name in WITH_GRADIENTS], ids=lambda op: op.name)
def test_so_does_its_graph_of_gradients(op: Op) -> None:
    torch._dynamo.reset()
    compiled = torch.compile(op.function, fullgraph=True, dynamic=True, backend="aot_eager")
    for call in CALLS:
        given = inputs_of(op, call)
        with torch.compiler.set_stance("default" if call == CALLS[0] else "fail_on_recompile"):
            found = with_gradients(op, compiled, given)
        assert_close(found, with_gradients(op, op.function, given))


def test_one_exported_program_serves_all_sizes(op: Op) -> None:
    """``Dim.DYNAMIC`` is an error where a size would become a constant of the program."""

    class Module(torch.nn.Module):
        def forward(self, *given: Tensor) -> Any:
            return op.function(*given)

    dynamic = tuple(
        {dim: torch.export.Dim.DYNAMIC for dim, name in enumerate(names.split()) if not name.isdigit()}
        for names in op.sizes
    )
    program = torch.export.export(Module(), inputs_of(op, CALLS[0]), dynamic_shapes=(dynamic,)).module()
    for call in CALLS:
        given = inputs_of(op, call)
        assert_close(parts(program(*given)), parts(op.function(*given)))
