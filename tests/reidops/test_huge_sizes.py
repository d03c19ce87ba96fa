"""Direct calls of the operators with sizes whose products no integer holds: an error that names what is wrong.

Expanded tensors make such sizes possible without memory.  The calls run in a process of their own, which one that is
not refused may end.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

SCRIPT = """
import json, sys, torch, reidops

ops = torch.ops.reidops
MOST = 2**63 - 1
theta, one = torch.eye(2, 3), torch.ones(1, 1, 1)

def huge(*sizes):
    return torch.empty(1).expand(*sizes)

def maps(*sizes):
    return torch.ones(*sizes)

def lasso(gram, correlation, energy, columns=None, atoms=None, beta=0.4, tolerance=1e-4):
    return ops.sparse_reconstruct_gram(gram, correlation, energy, columns, atoms, beta, tolerance, 10, 0, False)

answers = {}
for call in json.load(sys.stdin):
    try:
        result = eval(call)
        answers[call] = str([tuple(part.shape) for part in (result if isinstance(result, tuple) else (result,))])
    except RuntimeError as error:
        answers[call] = str(error)
print(json.dumps(answers))
"""

REFUSED = {
    # depthwise_xcorr
    "ops.depthwise_xcorr(huge(1, 1, 2**58, 4), maps(1, 1, 2, 2), 0, 0, 2**58, 4, False, [1])": "search: expected rows",
    "ops.depthwise_xcorr(huge(1, 1, 4, 2**58), maps(1, 1, 2, 2), 0, 0, 4, 4, False, [1])": "search: expected columns",
    "ops.depthwise_xcorr(huge(1, 2**58, 4, 4), huge(1, 2**58, 2, 2), 0, 0, 4, 4, False, [1])": "search: expected chann",
    "ops.depthwise_xcorr(maps(1, 1, 4, 4), huge(1, 1, 2**58, 2), 0, 0, 4, 4, False, [1])": "template: expected rows",
    "ops.depthwise_xcorr(maps(1, 1, 4, 4), huge(1, 1, 2, 2**58), 0, 0, 4, 4, True, [1])": "template: expected columns",
    "ops.depthwise_xcorr(huge(1, 1, 2**31 - 1, 2**31 - 1), one, 0, 0, 4, 4, False, [1])": "search: expected at most",
    "ops.depthwise_xcorr(maps(1, 1, 4, 4), huge(1, 1, 2**21, 2**21), 0, 0, 4, 4, False, [1])": "out of memory",
    "ops.depthwise_xcorr(one, huge(1, 1, 2**31 - 1, 2**31 - 1), 0, 0, 4, 4, False, [1])": "template: expected at most",
    "ops.depthwise_xcorr(huge(2**40, 1, 1, 4, 4), huge(2**40, 1, 1, 1), 0, 0, 4, 4, False, [1, 1])": "pairs of maps",
    "ops.depthwise_xcorr(huge(2**58, 1, 4, 4), one, 0, 0, 4, 4, False, [2**58])": "pairs of maps",
    "ops.depthwise_xcorr(maps(1, 4, 4), one, 0, 0, 2**32, 2**32, False, [])": "h: expected rows",
    "ops.depthwise_xcorr(maps(1, 4, 4), one, 0, 0, 2**31 - 1, 2**31 - 1, False, [])": "expected at most",
    "ops.depthwise_xcorr(maps(1, 4, 4), one, 0, 0, MOST, MOST, False, [])": "h: expected rows",
    "ops.depthwise_xcorr(maps(1, 4, 4), one, 0, 0, 4, -1, False, [])": "w: expected columns",
    "ops.depthwise_xcorr(maps(1, 4, 4), one, -MOST - 1, 0, 4, 4, False, [])": "top: expected a margin",
    "ops.depthwise_xcorr(maps(1, 4, 4), one, 0, MOST, 4, 4, False, [])": "left: expected a margin",
    # projected_xcorr
    "ops.projected_xcorr(huge(1, 1, 2**58, 4), maps(1, 1, 1, 2, 2), one, 0, 0, 4, 4, True, [1])": "search: exp",
    "ops.projected_xcorr(maps(1, 4, 4), huge(2**58, 1, 2, 2), huge(1, 2**58, 1), 0, 0, 4, 4, True, [])": "weight",
    "ops.projected_xcorr(maps(1, 1, 4, 4), maps(1, 1, 1, 2, 2), huge(2**58, 1, 1), 0, 0, 4, 4, False, [1])": "weight",
    "ops.projected_xcorr(maps(1, 1, 4, 4), maps(1, 1, 1, 2, 2), one, 0, 0, MOST, 4, True, [1])": "h: expected rows",
    "ops.projected_xcorr(maps(3, 1, 4, 4), maps(1, 1, 1, 2, 2), one, 0, 0, 4, 4, True, [1])": "batch: expected",
    # affine_sample
    "ops.affine_sample(huge(1, 1, 2**31, 2**31), theta, 4, 4, 0, 0, False)": "input: expected fewer than 2.30 pixels",
    "ops.affine_sample(maps(1, 4, 4), theta, 2**32, 2**32, 0, 0, False)": "size: expected",
    "ops.affine_sample(maps(0, 4, 4), theta, 2**32, 2**32, 0, 0, False)": "size: expected",
    "ops.affine_sample(maps(1, 4, 4), theta, MOST, MOST, 0, 0, False)": "size: expected",
    "ops.affine_sample(maps(1, 4, 4), theta, -MOST, -MOST, 0, 0, False)": "size: expected",
    "ops.affine_sample(maps(1, 4, 4), huge(2**58, 2, 3), 4, 4, 0, 0, False)": "theta: expected at most",
    "ops.affine_sample(huge(2**58, 1, 4, 4), theta, 4, 4, 0, 0, False)": "input: expected at most",
    "ops.affine_sample(huge(2**16, 1, 1, 4, 4), huge(2**16, 2, 3), 4, 4, 0, 0, False)": "input, theta: expected",
    "ops.affine_sample(huge(1, 2**58, 4, 4), theta, 4, 4, 0, 0, False)": "elements of the output",
    "ops.affine_sample_backward(huge(1, 2**58, 4, 4), huge(1, 2**58, 4, 4), theta, 0, 0, False, True, True)": "grad",
    "ops.affine_sample_backward(huge(2**33, 0, 1, 4, 4), huge(2**33, 1, 1, 4, 4), maps(1, 0, 2, 3), 0, 0, False, True, "
    "True)": "input: expected at most",
    # sparse_reconstruct_gram
    "lasso(huge(1, 2**30, 2**30), huge(1, 1, 2**30), maps(1, 1))": "correlation: expected sizes",
    "lasso(huge(1, 2**29, 2**29), huge(1, 1, 2**29), maps(1, 1))": "gram: expected at most",
    "lasso(huge(2**29, 1, 1), huge(2**29, 2**29, 1), huge(2**29, 2**29))": "correlation: expected at most",
    "lasso(maps(1, 1, 1), huge(2**58, 1, 1), huge(2**58, 1))": "correlation: expected sizes",
    "lasso(one, one, maps(1, 1), huge(1, 1, 2**60), huge(1, 1, 2**60))": "columns: expected at most",
    "lasso(maps(1, 0, 0), maps(1, 1, 0), maps(1, 1), beta=-1.0)": "beta: expected",
    "lasso(one, one, maps(1, 1), beta=float('nan'))": "beta: expected",
    "lasso(one, one, maps(1, 1), tolerance=0.0)": "tolerance: expected",
}

# Nothing is left of the other sizes, or nothing is multiplied with them.
ACCEPTED = {
    "ops.affine_sample(huge(1, 1, 1, 4, 4)[:0].expand(0, 2**30, 1, 4, 4), theta, 4, 4, 0, 0, False)": (
        0, 2**30, 1, 4, 4,
    ),
    "ops.affine_sample(huge(2**31, 4, 4)[:0].expand(0, 4, 4), theta, 4, 4, 0, 0, False)": (0, 4, 4),
    "ops.affine_sample(torch.ones(3).as_strided((1, 3, 1), (2**62, 1, 2**62)), theta, 3, 1, 0, 0, False)": (1, 3, 1),
    "ops.depthwise_xcorr(huge(0, 1, 4, 4), one, 0, 0, 4, 4, False, [0])": (0, 1, 4, 4),
    "ops.depthwise_xcorr(huge(1, 1, 1, 4, 4)[:0].expand(0, 2**40, 1, 4, 4), one, 0, 0, 4, 4, False, [0, 2**40])": (
        0, 2**40, 1, 4, 4,
    ),
    "ops.depthwise_xcorr(huge(1, 1, 2**21, 2**21), one, 0, 0, 4, 4, False, [1])": (1, 1, 4, 4),
    "ops.depthwise_xcorr(maps(1, 4, 4), one, 2**31 - 1, 1 - 2**31, 4, 4, False, [])": (1, 4, 4),
    "ops.depthwise_xcorr(torch.ones(3).as_strided((1, 3, 1), (2**62, 1, 9)), one, 0, 0, 3, 1, False, [])": (1, 3, 1),
    "lasso(maps(1, 0, 0), maps(1, 1, 0), maps(1, 1))[0]": (1, 1),
}  # fmt: skip


@pytest.fixture(scope="module")
def answers() -> dict[str, str]:
    calls = json.dumps([*REFUSED, *ACCEPTED])
    done = subprocess.run([sys.executable, "-c", SCRIPT], input=calls, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("call", REFUSED)
def test_refused_with_a_name(answers: dict[str, str], call: str) -> None:
    op = "sparse_reconstruct_gram" if call.startswith("lasso") else re.sub(r"^ops\.|(_backward)?\(.*$", "", call)
    assert re.search(f"{op}: .*{REFUSED[call]}", answers[call]), answers[call]


@pytest.mark.parametrize("call", ACCEPTED)
def test_accepted(answers: dict[str, str], call: str) -> None:
    assert answers[call] == str([ACCEPTED[call]])
