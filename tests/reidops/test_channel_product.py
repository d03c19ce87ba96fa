"""channel_product and channel_gram against float64 sums, and that a value's bits are its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close

from reidops import reference
from reidops._ops.channel_product import channel_gram, channel_product
from tests.reidops.threads import with_threads

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)

# (P, N), (G, M), C: less than a register, whole tiles, edges of every kind, more than one block of channels, no values.
SIZES = [
    ((1, 1), (1, 1), 1),
    ((2, 13), (3, 50), 7),
    ((1, 28), (2, 64), 33),
    ((3, 33), (2, 17), 300),
    ((1, 128), (1, 128), 513),
    ((1, 5), (1, 700), 20),
    ((2, 5), (2, 5), 0),
    ((0, 5), (2, 5), 3),
    ((2, 0), (2, 5), 3),
    ((2, 5), (0, 5), 3),
    ((2, 5), (2, 0), 3),
]


def maps(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def laid_out(value: Tensor, layout: str) -> Tensor:
    """The same values: planar, channels last, every other element of a larger tensor, or shifted by one element."""
    if layout == "channels last":
        return value.mT.contiguous().mT
    if layout == "spaced":
        spaced = value.new_full((value.shape[0], 2 * value.shape[1], 2 * value.shape[2]), torch.nan)
        spaced[:, ::2, ::2] = value
        return spaced[:, ::2, ::2]
    if layout == "shifted":
        memory = torch.cat([value.new_zeros(1), value.flatten()])
        return memory[1:].view(value.shape)
    return value.contiguous()


LAYOUTS = ("planar", "channels last", "spaced", "shifted")


def exact(left: Tensor, right: Tensor) -> Tensor:
    return torch.einsum("pcn,gcm->pngm", left.double(), right.double())


def bound(left: Tensor, right: Tensor) -> Tensor:
    """Of the error of any order of C products and sums: C u sum |l r|, to first order."""
    unit = torch.finfo(torch.float64 if left.dtype == torch.float64 else torch.float32).eps / 2
    return 1.01 * left.shape[1] * unit * exact(left.abs(), right.abs())


@every_dtype
@pytest.mark.parametrize(("of_left", "of_right", "C"), SIZES, ids=str)
def test_within_the_error_of_a_sum(
    of_left: tuple[int, int], of_right: tuple[int, int], C: int, dtype: torch.dtype
) -> None:
    left = maps(of_left[0], C, of_left[1], dtype=dtype)
    right = maps(of_right[0], C, of_right[1], seed=1, dtype=dtype)
    found = channel_product(left, right)
    assert found.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert found.is_contiguous()
    assert found.shape == (*of_left, *of_right)
    error, most = (found.double() - exact(left, right)).abs(), bound(left, right)
    assert bool((error <= most).all()), float((error / most).max())


@every_dtype
@pytest.mark.parametrize(("of_left", "of_right", "C"), SIZES, ids=str)
def test_gram_is_symmetric_and_has_the_bits_of_the_product(
    of_left: tuple[int, int], of_right: tuple[int, int], C: int, dtype: torch.dtype
) -> None:
    for layout in LAYOUTS:
        of = laid_out(maps(of_right[0], C, of_right[1], dtype=dtype), layout)
        found = channel_gram(of)
        assert found.shape == (of_right[0], of_right[1], of_right[1])
        assert torch.equal(found, found.mT)
        for one, gram in zip(of, found, strict=True):
            assert torch.equal(gram, channel_product(one[None], one[None])[0, :, 0])


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_value_has_its_own_bits(data: st.DataObject) -> None:
    """Whatever part of the maps is given, however they lie, with an index and without, a value is the same."""
    draw = data.draw
    dtype = draw(st.sampled_from(DTYPES))
    P, G, C = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.sampled_from([1, 5, 31, 32, 40, 257, 530]))
    N, M = draw(st.integers(1, 50)), draw(st.integers(1, 50))
    left, right = maps(P, C, N, dtype=dtype), maps(G, C, M, seed=1, dtype=dtype)
    whole = channel_product(left, right)

    layouts = [draw(st.sampled_from(LAYOUTS)) for _ in range(2)]
    n0, m0 = draw(st.integers(0, N - 1)), draw(st.integers(0, M - 1))
    n1, m1 = draw(st.integers(n0 + 1, N)), draw(st.integers(m0 + 1, M))
    part = channel_product(laid_out(left, layouts[0])[..., n0:n1], laid_out(right, layouts[1])[..., m0:m1])
    assert torch.equal(part, whole[:, n0:n1, :, m0:m1])

    partners = draw(st.lists(st.lists(st.integers(0, G - 1), min_size=2, max_size=2), min_size=P, max_size=P))
    index = torch.tensor(partners)
    found = channel_product(laid_out(left, layouts[1]), laid_out(right, layouts[0]), index)
    assert torch.equal(found, torch.stack([one[:, at] for one, at in zip(whole, index, strict=True)]))

    turned = channel_product(right, left)
    assert torch.equal(turned, whole.permute(2, 3, 0, 1))


@every_dtype
def test_same_bits_whatever_the_threads(dtype: torch.dtype) -> None:
    left, right = maps(5, 300, 45, dtype=dtype), maps(4, 300, 37, seed=1, dtype=dtype)
    (expected, gram), *others = [(channel_product(left, right), channel_gram(left)) for _ in with_threads(*range(1, 8))]
    for product, other in others:
        assert torch.equal(product, expected)
        assert torch.equal(other, gram)


def test_more_columns_than_a_block_of_them_and_more_rows_than_are_held_at_once() -> None:
    left, right = maps(20, 260, 40), maps(1, 260, 1100, seed=1)
    found = channel_product(left, right)
    assert torch.equal(found[7:8, 3:19, :, 500:600], channel_product(left[7:8, :, 3:19], right[..., 500:600]))
    assert bool(((found.double() - exact(left, right)).abs() <= bound(left, right)).all())
    assert torch.equal(channel_gram(right)[0], channel_product(right, right)[0, :, 0])


@pytest.mark.parametrize("partners", [1, 2, 9])
def test_a_left_map_of_many_locations(partners: int) -> None:
    left, right = maps(1, 260, 1100), maps(partners, 260, 37, seed=1)
    found = channel_product(left, right)
    assert bool(((found.double() - exact(left, right)).abs() <= bound(left, right)).all())
    assert torch.equal(found[:, 500:530], channel_product(left[..., 500:530].contiguous(), right))


@every_dtype
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_not_finite_stays_in_its_row_and_column(layout: str, bad: float, dtype: torch.dtype) -> None:
    left, right = maps(2, 40, 19, dtype=dtype), maps(2, 40, 35, seed=1, dtype=dtype)
    expected = channel_product(left, right)
    left[1, 39, 17], right[0, 3, 33] = bad, -bad
    found = channel_product(laid_out(left, layout), laid_out(right, layout))
    spoilt = torch.zeros_like(found, dtype=torch.bool)
    spoilt[1, 17], spoilt[:, :, 0, 33] = True, True
    assert torch.equal(found.isfinite(), ~spoilt)
    assert torch.equal(found[~spoilt], expected[~spoilt])
    gram = channel_gram(laid_out(left, layout))
    assert torch.equal(gram[0], channel_gram(left[:1])[0])
    assert int((~gram[1].isfinite()).sum()) == 2 * 19 - 1


def test_zeros_and_the_smallest_numbers() -> None:
    tiny = torch.finfo(torch.bfloat16).smallest_normal
    for dtype in (torch.bfloat16, torch.float32):
        left, right = torch.full((1, 3, 5), tiny, dtype=dtype), torch.full((1, 3, 4), 0.5, dtype=dtype)
        assert_close(channel_product(left, right).double(), exact(left, right), rtol=0, atol=2 * tiny)
    assert not channel_product(torch.zeros(1, 40, 3), -maps(1, 40, 3).abs()).any()


@pytest.mark.parametrize("with_index", [False, True])
def test_gradients_and_theirs(with_index: bool) -> None:
    left, right = (maps(*size, seed=seed, dtype=torch.float64) for seed, size in enumerate([(2, 3, 4), (3, 3, 5)]))
    index = torch.tensor([[2, 0], [1, 1]]) if with_index else None

    def function(left: Tensor, right: Tensor) -> Tensor:
        return channel_product(left, right, index)

    sides = (left.requires_grad_(), right.requires_grad_())
    assert torch.autograd.gradcheck(function, sides)
    assert torch.autograd.gradgradcheck(function, sides)
    assert torch.autograd.gradcheck(channel_gram, (left,))
    assert torch.autograd.gradgradcheck(channel_gram, (left,))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_gradients_of_half_maps_have_their_dtype(dtype: torch.dtype) -> None:
    left, right = (maps(2, 30, 6, seed=seed, dtype=dtype).requires_grad_() for seed in range(2))
    found = torch.autograd.grad(channel_product(left, right).square().sum() + channel_gram(left).sum(), (left, right))
    wide = [side.detach().double().requires_grad_() for side in (left, right)]
    expected = torch.autograd.grad(exact(*wide).square().sum() + reference.channel_gram(wide[0]).sum(), wide)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == dtype
        assert_close(one.double(), other, rtol=2 * torch.finfo(dtype).eps, atol=1e-3)


OPCHECKED = {
    "all": (maps(2, 6, 4), maps(3, 6, 5)),
    "index": (maps(2, 6, 4), maps(3, 6, 5), torch.tensor([[2, 2], [0, 1]])),
    "bfloat16": (maps(2, 6, 4, dtype=torch.bfloat16), maps(3, 6, 5, dtype=torch.bfloat16)),
}


@pytest.mark.parametrize("case", OPCHECKED)
def test_opcheck(case: str) -> None:
    left, right, *index = OPCHECKED[case]
    sides = left.clone().requires_grad_(), right.clone().requires_grad_()
    torch.library.opcheck(torch.ops.reidops.channel_product, (*sides, index[0] if index else None))
    torch.library.opcheck(torch.ops.reidops.channel_gram, (sides[0],))


MAPPED = ((0, None, None), (None, 1, None), (2, 0, None), (0, None, 0), (None, 3, 1))


@pytest.mark.parametrize("mapped", MAPPED, ids=str)
@pytest.mark.parametrize("with_index", [False, True])
def test_vmap(mapped: tuple[int | None, ...], with_index: bool) -> None:
    if not with_index and mapped[2] is not None:
        pytest.skip("no index to map")
    given = [maps(2, 6, 4), maps(3, 6, 5, seed=1)] + [torch.tensor([[2, 2], [0, 1]])] * with_index
    items = 3
    varied = [
        value if dim is None else torch.stack([value.roll(i, 0) for i in range(items)], dim)
        for value, dim in zip(given, mapped, strict=False)
    ]
    found = torch.func.vmap(channel_product, in_dims=mapped[: len(given)])(*varied)
    for i in range(items):
        item = [value if dim is None else value.select(dim, i) for value, dim in zip(varied, mapped, strict=False)]
        assert torch.equal(found[i], channel_product(*item))
    grams = torch.func.vmap(channel_gram, in_dims=1)(torch.stack(given[:1] * items, 1))
    assert torch.equal(grams[2], channel_gram(given[0]))


@pytest.mark.parametrize("with_index", [False, True])
def test_reference(with_index: bool) -> None:
    for dtype in DTYPES:
        left, right = maps(3, 20, 7, dtype=dtype), maps(2, 20, 5, seed=1, dtype=dtype)
        index = torch.tensor([[0], [1], [1]]) if with_index else None
        found, ours = reference.channel_product(left, right, index), channel_product(left, right, index)
        assert_close(found, ours)
        assert_close(reference.channel_gram(left), channel_gram(left))


def test_half_maps_stay_half_under_autocast() -> None:
    left, right = maps(2, 40, 6, dtype=torch.bfloat16), maps(2, 40, 5, seed=1, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        found = channel_product(left, right)
    assert torch.equal(found, channel_product(left, right))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((maps(3, 3), maps(1, 3, 3)), "channel_product: left: expected shape (P, C, N), got (3, 3)"),
        ((maps(1, 3, 3), maps(3, 3)), "channel_product: right: expected shape (G, C, M), got (3, 3)"),
        ((maps(1, 3, 3), maps(1, 4, 3)), "channel_product: right: expected shape (1, 3, 3), got (1, 4, 3)"),
        ((maps(1, 3, 3), maps(1, 3, 3).double()), "channel_product: right: expected dtype Float, got Double"),
        ((maps(1, 3, 3).int(), maps(1, 3, 3).int()), "channel_product: left: expected float32, float64, float16"),
        ((maps(1, 3, 3), maps(1, 3, 3), torch.tensor([0])), "channel_product: index: expected shape (1, K), got (1,)"),
        ((maps(1, 3, 3), maps(1, 3, 3), torch.zeros(1, 1)), "channel_product: index: expected dtype Long, got Float"),
        ((maps(1, 3, 3), maps(2, 3, 3), torch.tensor([[2]])), "index: expected numbers in [0, 2), got 2"),
        ((maps(1, 3, 3), maps(2, 3, 3), torch.tensor([[0, -1]])), "index: expected numbers in [0, 2), got -1"),
    ],
)
def test_errors_name_what_is_wrong(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.ops.reidops.channel_product(*arguments, *(None,) * (3 - len(arguments)))
    assert message in str(caught.value)


def test_forward_mode_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="channel_product: derivatives are reverse-mode only"):
        torch.func.jvp(lambda left: channel_product(left, left), (maps(1, 3, 2),), (maps(1, 3, 2),))


SCRIPT = """
import json, torch, reidops
torch.set_num_threads(1)
generator = torch.Generator().manual_seed(0)
sides = [torch.randn(2, 300, size, generator=generator, dtype=torch.float64) for size in (37, 21)]
found = {}
for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
    left, right = (side.to(dtype) for side in sides)
    whole = torch.ops.reidops.channel_product(left, right, None)
    part = torch.ops.reidops.channel_product(left[1:, :, 3:20], right.mT.contiguous().mT[..., 5:], torch.tensor([[1]]))
    exact = torch.einsum("pcn,gcm->pngm", left.double(), right.double())
    scale = torch.einsum("pcn,gcm->pngm", left.double().abs(), right.double().abs())
    gram = torch.ops.reidops.channel_gram(left)
    found[str(dtype)] = {
        "error": float(((whole - exact).abs() / scale).max()),
        "same": torch.equal(part, whole[1:, 3:20, 1:, 5:])
        and torch.equal(gram[1], torch.ops.reidops.channel_product(left[1:], left[1:], None)[0, :, 0]),
    }
print(json.dumps({"isa": torch.ops.reidops.cpu_isa(), "found": found}))
"""


@pytest.mark.parametrize("isa", ["baseline", "avx2", "avx512", "amx"])
def test_every_instruction_set(isa: str) -> None:
    """In a process of its own: the choice is made once in each."""
    environ = {**os.environ, "REIDOPS_CPU_ISA": isa}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environ, text=True, capture_output=True, check=False)
    if done.returncode != 0 and "which is what this CPU has" in done.stderr:
        pytest.skip(f"this machine has no {isa}")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["isa"] == isa
    for dtype, found in result["found"].items():
        unit = torch.finfo(torch.float64 if "64" in dtype else torch.float32).eps / 2
        assert found["same"], dtype
        assert found["error"] <= 1.01 * 300 * unit, dtype
