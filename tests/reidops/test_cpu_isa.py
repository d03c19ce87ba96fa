"""The copies of the CPU kernels for narrow and wide vectors give the same results, and the choice can be overridden."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import torch

ISAS = ("baseline", "avx2", "avx512", "amx")

SCRIPT = """
import json, torch, reidops
generator = torch.Generator().manual_seed(0)
x, y = torch.rand(5, 64, generator=generator), torch.rand(3, 21, 64, generator=generator)
x, y = x / x.norm(dim=-1, keepdim=True), y / y.norm(dim=-1, keepdim=True)
results = torch.ops.reidops.sparse_reconstruct_gram(
    y @ y.mT, torch.einsum("rd,gmd->rgm", x, y), torch.ones(5, 3), None, None, 0.4, 1e-6, 1000, 0, True)
image, feature = (torch.rand(2, c, 9, 7, generator=generator).requires_grad_() for c in (3, 40))
theta = (torch.eye(2, 3) * 0.6 + 0.1 * torch.randn(2, 5, 2, 3, generator=generator)).requires_grad_()
for maps in (image, feature):
    sampled = reidops.affine_sample(maps[:, None], theta, (11, 10))
    results = [*results, sampled, *torch.autograd.grad(sampled.square().sum(), (maps, theta))]
search, template = (torch.rand(2, 40, *size, generator=generator).requires_grad_() for size in ((20, 15), (10, 10)))
scores = reidops.depthwise_xcorr(search, template)
results = [*results, scores, *torch.autograd.grad(scores.square().mean(), (search, template))]
for size, k in (((21, 37), (5, 7)), ((64, 70), (31, 31))):  # few channels, one by one, and by Fourier transforms
    search, template = (torch.rand(2, 3, *of, generator=generator).requires_grad_() for of in (size, k))
    scores = reidops.depthwise_xcorr(search, template)
    results = [*results, scores, *torch.autograd.grad(scores.square().mean(), (search, template))]
search, template = (torch.rand(2, 40, *size, generator=generator) for size in ((20, 15), (10, 10)))
weight = torch.rand(9, 1, 40, generator=generator)
results = [*results, reidops.projected_xcorr(search, template[:, None], weight, pool=True)]
print(json.dumps({"isa": torch.ops.reidops.cpu_isa(), "results": [result.tolist() for result in results]}))
"""


def run(isa: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: the choice is made once in each."""
    environ = {**os.environ, "REIDOPS_CPU_ISA": isa, "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-c", SCRIPT], env=environ, text=True, capture_output=True, check=False)


@pytest.fixture(scope="module")
def widest() -> dict[str, Any]:
    done = run("")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("isa", ISAS)
def test_every_copy_of_the_kernel_agrees(isa: str, widest: dict[str, Any]) -> None:
    done = run(isa)
    if ISAS.index(isa) > ISAS.index(widest["isa"]):
        assert "REIDOPS_CPU_ISA" in done.stderr
        pytest.skip(f"this machine has no {isa}")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["isa"] == isa
    for got, expected in zip(found["results"], widest["results"]):
        largest = max(1.0, float(torch.tensor(expected).abs().max()))
        torch.testing.assert_close(torch.tensor(got), torch.tensor(expected), rtol=1e-5, atol=2e-5 * largest)


def test_unknown_instruction_set_is_named() -> None:
    done = run("sse9")
    assert done.returncode != 0
    assert "ValueError: REIDOPS_CPU_ISA: expected one of baseline, avx2, avx512, amx" in done.stderr
    assert "got 'sse9'" in done.stderr
