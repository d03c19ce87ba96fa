"""Products in the precision of their numbers: half maps on matrix units, float32 in full whatever torch may round."""

from __future__ import annotations

import ast
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

import reidops
from reidops import reference
from reidops._ops import matrix_product as operator
from reidops._ops.matrix_product import matrix_product
from reidops.reference import matrix_product as precision
from tests.reidops.certificate import judge
from tests.reidops.fake_cuda import Product, maps, recorded
from tests.reidops.features import relu_columns

HALVES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def random(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.fixture(params=["tf32", "bf16"])
def rounding(request: pytest.FixtureRequest) -> Iterator[str]:
    """The process lets torch round float32 before it multiplies; cuBLAS knows TF32 alone."""
    switches = torch.backends.cuda.matmul, torch.backends.mkldnn.matmul  # type: ignore[attr-defined]
    before = [switch.fp32_precision for switch in switches]
    switches[0].fp32_precision, switches[1].fp32_precision = "tf32", request.param
    yield request.param
    for switch, value in zip(switches, before, strict=True):
        switch.fp32_precision = value


# On CUDA, in a dispatch trace: which products torch is asked for.

CALLS: dict[str, Callable[[torch.dtype], object]] = {
    "dsr_distance": lambda dtype: reidops.dsr_distance(maps(2, 8, 5, 4, dtype=dtype), maps(3, 8, 6, 4, dtype=dtype)),
    "return_gap": lambda dtype: reidops.dsr_distance(
        maps(2, 8, 5, 4, dtype=dtype), maps(3, 8, 6, 4, dtype=dtype), return_gap=True
    ),
    "sequences": lambda dtype: reidops.dsr_distance(
        [maps(8, 5, 4, dtype=dtype), maps(8, 3, 4, dtype=dtype)], [maps(8, 6, 4, dtype=dtype)] * 2
    ),
    "dsr_topk": lambda dtype: reidops.dsr_topk(maps(2, 8, 5, 4, dtype=dtype), maps(3, 8, 6, 4, dtype=dtype), 2),
    "prepare_gallery": lambda dtype: reidops.prepare_gallery(maps(3, 8, 6, 4, dtype=dtype)),
}


@pytest.mark.parametrize("dtype", HALVES.values(), ids=str)
@pytest.mark.parametrize("call", CALLS)
def test_half_maps_reach_matrix_units_as_they_are(
    call: str, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recorded(monkeypatch) as record:
        CALLS[call](dtype)
    assert record.products
    assert all(one[:2] == (dtype, torch.float32) for one in record.products)


@pytest.mark.parametrize("call", CALLS)
def test_float32_maps_are_multiplied_in_float32(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(monkeypatch) as record:
        CALLS[call](torch.float32)
    assert record.products
    assert all(one == Product(torch.float32, torch.float32, without_tf32=False) for one in record.products)


@pytest.mark.parametrize("name", HALVES)
def test_precision_takes_float32_maps_to_matrix_units(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(monkeypatch) as record:
        probe, gallery = (maps(count, 8, 5, 4, dtype=torch.float32) for count in (2, 3))
        result = reidops.dsr_distance(probe, gallery, precision=name, return_gap=True)
    assert result.distance.dtype == torch.float32
    assert [one for one in record.products if one[:2] == (HALVES[name], torch.float32)]
    made_of_maps = [one for one in record.products if one.operands == torch.float32]
    assert not made_of_maps, "the Gram matrix of a gallery that is rounded here is that of the rounded blocks"


@pytest.mark.parametrize("dtype", HALVES.values(), ids=str)
def test_gradients_of_half_maps_take_two_products_on_matrix_units(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    with recorded(monkeypatch) as record:
        weights = maps(2, 5, 3, 6, dtype=torch.float32)
        assert torch.ops.reidops.weighted_sums(weights, maps(3, 8, 6, dtype=dtype)).dtype == torch.float32
    assert [one[:2] for one in record.products] == [(dtype, torch.float32)] * 2


def test_float16_sums_in_float32_where_the_process_asks_for_float16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch refuses a float32 result then."""
    monkeypatch.setattr(precision, "_sums_in_half", lambda dtype: dtype == torch.float16)
    with recorded(monkeypatch) as record:
        reference.channel_product(*(maps(2, 8, 5, dtype=torch.float16) for _ in range(2)), None)
        reference.channel_product(*(maps(2, 8, 5, dtype=torch.bfloat16) for _ in range(2)), None)
    assert [one.operands for one in record.products] == [torch.float32, torch.bfloat16]


# Where torch may round float32.

FLOAT32: dict[str, Callable[[], object]] = {
    **{name: (lambda call=call: call(torch.float32)) for name, call in CALLS.items()},
    "multi-scale": lambda: reidops.dsr_distance(
        *(maps(2, 8, 5, 4, dtype=torch.float32) for _ in range(2)), scales=(2, 3)
    ),
    "implicit": lambda: reidops.dsr_distance(
        *(maps(2, 8, 5, 4, dtype=torch.float32) for _ in range(2)), gradient="implicit"
    ),
    "sparse_reconstruct": lambda: reidops.sparse_reconstruct(
        maps(2, 8, 5, dtype=torch.float32), maps(2, 8, 6, dtype=torch.float32)
    ),
    "weighted_sums": lambda: torch.ops.reidops.weighted_sums(
        maps(2, 5, 3, 6, dtype=torch.float32), maps(3, 8, 6, dtype=torch.float32)
    ),
    "fista": lambda: reference.fista(
        maps(2, 6, 6, dtype=torch.float32), maps(2, 5, 6, dtype=torch.float32), 0.4, iterations=2
    ),
    "ridge": lambda: reidops.sparse_reconstruct(
        maps(8, 5, dtype=torch.float32), maps(8, 6, dtype=torch.float32), method="ridge"
    ),
}


@pytest.mark.parametrize("call", FLOAT32)
def test_no_product_on_cuda_is_rounded_to_tf32(call: str, rounding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with recorded(monkeypatch) as record:
        FLOAT32[call]()
    products = [one for one in record.products if one.operands == torch.float32]
    assert products
    assert all(one.without_tf32 for one in products)
    assert torch.backends.cuda.matmul.fp32_precision == "tf32"


@pytest.mark.parametrize("without", ["the guard", "cuBLAS"])
def test_products_are_in_float64_where_nothing_else_keeps_them(
    without: str, rounding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if without == "the guard":
        monkeypatch.setattr(precision, "_SWITCH", None)
    else:
        monkeypatch.setattr(precision, "_prefers_cublaslt", lambda: True)
    with recorded(monkeypatch) as record:
        found = reference.channel_product(*(maps(2, 8, 5, dtype=torch.float32) for _ in range(2)), None)
    assert found.dtype == torch.float32
    assert [one.operands for one in record.products] == [torch.float64]


def test_tf32_is_off_for_this_thread_alone_and_nests() -> None:
    switch, seen = precision._SWITCH, []
    assert switch is not None
    with precision.without_tf32():
        with precision.without_tf32():
            thread = threading.Thread(target=lambda: seen.append(switch.is_off()))
            thread.start()
            thread.join()
        assert switch.is_off()
    assert not switch.is_off()
    assert seen == [False]


def test_tf32_is_back_after_an_error() -> None:
    assert precision._SWITCH is not None
    with pytest.raises(RuntimeError), precision.without_tf32():
        torch.zeros(2, 3) @ torch.zeros(2, 3)
    assert not precision._SWITCH.is_off()


def test_a_certificate_on_a_cpu_holds_where_products_may_be_rounded(rounding: str) -> None:
    """With products of bfloat16 a gap of 5e-5 was claimed where it was 5e-4."""
    for atoms in (300, 700):  # the latter over a working set
        x, y = relu_columns(512, 40 if atoms == 300 else 2).float(), relu_columns(512, atoms, seed=1).float()
        result = reidops.sparse_reconstruct(x, y, 0.4)
        verdict = judge(x, y, result.coefficients, 0.4)
        assert bool((verdict.gap <= result.gap).all())
        assert_close(result.error.double(), verdict.error, rtol=1e-5, atol=0)


def test_ridge_on_a_cpu_where_products_may_be_rounded(rounding: str) -> None:
    x, y = relu_columns(512, 40).float(), relu_columns(512, 130, seed=1).float()
    result = reidops.sparse_reconstruct(x, y, 0.4, method="ridge")
    error = (x.double() - y.double() @ result.coefficients.double()).square().sum(0)
    assert_close(result.error.double(), error, rtol=1e-5, atol=0)


def test_a_compiled_graph_has_the_bits_of_the_call(rounding: str) -> None:
    x, y = relu_columns(96, 5).float(), relu_columns(96, 40, seed=1).float()
    compiled = torch.compile(lambda x, y: reidops.sparse_reconstruct(x, y).error, fullgraph=True, backend="aot_eager")
    assert torch.equal(compiled(x, y), reidops.sparse_reconstruct(x, y).error)


# The product itself.


@pytest.mark.parametrize(
    "shapes", [((4, 5), (5, 3)), ((2, 4, 5), (5, 3)), ((2, 1, 4, 5), (3, 5, 6)), ((0, 4, 5), (5, 3))]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_as_torch_has_it(
    shapes: tuple[tuple[int, ...], ...], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By torch itself, and by the operator that takes its place."""
    left, right = (random(*shape, seed=seed, dtype=dtype) for seed, shape in enumerate(shapes))
    expected = left @ right
    assert torch.equal(matrix_product(left, right), expected)
    monkeypatch.setattr(operator, "is_rounded", lambda values: True)
    assert_close(matrix_product(left, right), expected)


def test_gradients_and_theirs() -> None:
    left, right = (random(*shape, seed=shape[1], dtype=torch.float64) for shape in ((2, 3, 4), (2, 4, 5)))
    given = left.requires_grad_(), right.requires_grad_()
    assert torch.autograd.gradcheck(torch.ops.reidops.matrix_product, given)
    assert torch.autograd.gradgradcheck(torch.ops.reidops.matrix_product, given)


def test_opcheck_and_vmap() -> None:
    left, right = random(2, 3, 4).requires_grad_(), random(2, 4, 5, seed=1).requires_grad_()
    torch.library.opcheck(torch.ops.reidops.matrix_product, (left, right))
    for dims in ((0, None), (None, 0), (2, 1)):
        found = torch.func.vmap(torch.ops.reidops.matrix_product, in_dims=dims)(
            *(one if dim is None else torch.stack([one, 2 * one], dim) for one, dim in zip((left, right), dims))
        )
        factor = 4 if None not in dims else 2
        assert_close(found[1], factor * (left @ right))


@pytest.mark.parametrize("dtype", HALVES.values(), ids=str)
@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_half_times_full_keeps_float32(dtype: torch.dtype, size: float) -> None:
    """Two numbers of a half type hold one of float32 up to u^2; then come the sums of float32, and of two products."""
    halves, full = random(7, 60, dtype=dtype), random(60, 5, seed=1) * size * torch.logspace(-3, 3, 60)[:, None]
    found, exact = precision.half_times_full(halves, full), halves.double() @ full.double()
    unit, sums = torch.finfo(dtype).eps / 2, torch.finfo(torch.float32).eps / 2
    most = (unit**2 + 62 * sums) * (halves.double().abs() @ full.double().abs())
    # float16 has no normal numbers below 2^-14: of a column whose largest is scaled to 2^14, 2^-39 of that is lost.
    most = most + halves.double().abs().sum(1)[:, None] * full.double().abs().amax(0) * 2.0**-38
    assert bool(((found.double() - exact).abs() <= most).all())


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_what_is_not_finite_stays_in_its_column(bad: float) -> None:
    halves, full = random(7, 60, dtype=torch.float16).abs(), random(60, 5, seed=1)
    expected = precision.half_times_full(halves, full)
    full[3, 2] = bad
    found = precision.half_times_full(halves, full)
    assert torch.equal(found.isnan() if bad != bad else found == torch.inf, torch.arange(5).expand(7, 5) == 2)
    others = [0, 1, 3, 4]
    assert torch.equal(found[:, others], expected[:, others])


#: Products that no certificate rests on, or that are in float64, which torch never rounds.
ELSEWHERE = {
    "_ops/projected_xcorr.py": 4,  # a convolution of networks, which follows torch's switch as any other does
    "_ops/ridge.py": 3,  # of what was made float64
    "_ops/working_set.py": 2,  # the residual and its correlations, in float64
    "reference/depthwise_xcorr.py": 1,  # a convolution
    "reference/dsr.py": 1,  # of an oracle in float64; so the others
    "reference/feature_sign.py": 7,
    "reference/projected_xcorr.py": 1,
    "reference/sparse_reconstruct.py": 3,
}


def test_every_other_product_is_listed() -> None:
    """A new product in reidops goes through `matrix_product`, or says here why it need not."""
    root = Path(reidops.__file__).parent
    found = {}
    for path in sorted(root.rglob("*.py")):
        if path.name == "matrix_product.py":
            continue
        tree = ast.parse(path.read_text())
        products = [
            node
            for node in ast.walk(tree)
            if (isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult))
            or (isinstance(node, ast.Attribute) and node.attr in ("einsum", "mm", "bmm", "addmm", "baddbmm", "conv2d"))
        ]
        if products:
            found[path.relative_to(root).as_posix()] = len(products)
    assert found == ELSEWHERE, "use matrix_product, or say why not"
