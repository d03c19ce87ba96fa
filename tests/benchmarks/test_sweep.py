"""The sweeps: each operator has one, its rivals compute the same, and a picture comes out."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch
from torch import Tensor

from benchmarks.sweep.__main__ import OPERATORS, Result, least_times
from benchmarks.sweep.picture import draw

EXACT = ("affine_sample", "depthwise_xcorr")  #: operators whose rivals in torch return what ours does


@pytest.mark.parametrize("operator", OPERATORS)
def test_cases_have_names_of_their_own_and_a_way_of_ours(operator: str) -> None:
    module = importlib.import_module(f"benchmarks.sweep.{operator}")
    names = [case.name for case in module.CASES]
    assert len(set(names)) == len(names) > 10
    ways = module.rivals(module.CASES[0])
    assert "reidops" in ways
    assert len(ways) > 1


@pytest.mark.parametrize("operator", EXACT)
def test_rivals_compute_the_same(operator: str) -> None:
    module = importlib.import_module(f"benchmarks.sweep.{operator}")
    small = [case for case in module.CASES if " 64" not in case.name and "backward" not in case.name]
    for case in small[::40]:
        ways = module.rivals(case)
        expected = ways.pop("reidops")()
        for name, way in ways.items():
            found = way()
            if isinstance(found, Tensor) and name != "kornia":
                error = (found - expected).abs().max() / expected.abs().max()
                assert error < 1e-4, (case.name, name)


def test_a_lead_is_the_fastest_rivals_time_over_ours(tmp_path: Path) -> None:
    result = Result("op", "case", {"slow": 6.0, "reidops": 2.0, "quick": 3.0})
    assert result.lead == 1.5
    assert result.rivals == ["quick", "slow"]
    draw([("op", "case", result.lead, "quick"), ("op", "other", 0.5, "slow")], tmp_path / "sweep.png")
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")


def test_ways_take_turns() -> None:
    calls: list[str] = []
    times = least_times({name: lambda name=name: calls.append(name) for name in "ab"}, 0)
    assert calls[:4] == ["a", "b", "a", "b"]
    assert set(times) == {"a", "b"}
    assert torch.tensor(list(times.values())).isfinite().all()
