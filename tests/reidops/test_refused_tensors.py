"""Tensors that no kernel may touch: on another device than the others, or in a storage that is too small for them.

Every operator, and every tensor of it in turn.  The calls with small storages run in a process of their own, which one
that is not refused may end.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.reidops.ops_table import OPERATORS, OPS, Op, Operator

ROOT = Path(__file__).parents[2]


def schema(operator: Operator) -> list[str]:
    """The arguments' names."""
    return [one.name for one in getattr(torch.ops.reidops, operator.name).default._schema.arguments]


def detached(values: tuple[Any, ...]) -> list[Any]:
    return [value.detach().clone() if isinstance(value, Tensor) else value for value in values]


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.name)
def test_a_mixture_of_devices_is_refused(op: Op) -> None:
    inputs = op.inputs()
    for place in range(len(inputs)):
        given = [value.to("meta") if i == place else value for i, value in enumerate(inputs)]
        with pytest.raises(
            ValueError, match=rf"^{op.public_name}: \w+ must be on \w+'s device .*, got .* on (cpu|meta)"
        ):
            op.function(*given)


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.name)
def test_an_operator_refuses_it_by_name(operator: Operator) -> None:
    names, inputs = schema(operator), operator.inputs()
    tensors = [place for place, value in enumerate(inputs) if isinstance(value, Tensor)]
    for place in tensors if len(tensors) > 1 else []:
        given = detached(inputs)
        given[place] = given[place].to("meta")
        named = names[place] if place != tensors[0] else names[tensors[1]]  # all are compared with the first
        with pytest.raises(ValueError, match=rf"^{operator.name}: {named} must be on {names[tensors[0]]}'s device"):
            getattr(torch.ops.reidops, operator.name)(*given)


def in_too_small_a_storage(value: Tensor, share: float) -> Tensor:
    """A copy whose storage holds this share of it."""
    copy = value.detach().clone()
    copy.untyped_storage().resize_(int(copy.untyped_storage().nbytes() * share))
    return copy


def call_with_small_storages() -> None:
    """In a process of its own: one line for each call, begun before it."""
    for op in OPS:
        for place in range(len(op.inputs())):
            report(f"{op.name}, input {place}", op.public_name, "", op.function, op.inputs(), place)
    for operator in OPERATORS:
        function, names = getattr(torch.ops.reidops, operator.name), schema(operator)
        for place, value in enumerate(operator.inputs()):
            if isinstance(value, Tensor):
                call, op_name = f"torch.ops.reidops.{operator.name}, {names[place]}", operator.name
                report(call, op_name.removesuffix("_backward"), names[place], function, operator.inputs(), place)


def report(
    call: str, op: str, argument: str, function: Callable[..., Any], inputs: tuple[Any, ...], place: int
) -> None:
    for share in (0, 0.5):
        given = detached(inputs)
        given[place] = in_too_small_a_storage(inputs[place], share)
        print(f"{call}, {share}: ", end="", flush=True)
        try:
            function(*given)
        except (RuntimeError, ValueError) as error:
            named = f"{op}: {argument}" in str(error) and "storage" in str(error)
            print("refused by name" if named else f"refused without a name: {error}".splitlines()[0], flush=True)
        else:
            print("not refused", flush=True)


def test_too_small_a_storage_is_refused_by_name() -> None:
    script = "from tests.reidops.test_refused_tensors import *; call_with_small_storages()"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    calls = done.stdout.splitlines()
    assert [call for call in calls if not call.endswith(": refused by name")] == []
    assert done.returncode == 0, done.stderr
    assert len(calls) > 4 * len(OPS)
