"""``prepare_gallery``: the bits that the maps give, also of dictionaries that were taken out, joined or stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import reidops
from reidops import Dictionaries, concatenate, dsr_distance, prepare_gallery
from tests.reidops.features import relu_maps

PURPOSES: list[dict[str, Any]] = [
    {},
    {"scales": (1, 2, 3)},
    {"scales": (2,)},
    {"method": "ridge"},
    {"method": "ridge", "scales": (1, 2), "beta": 0.1},
]


def ragged(count: int, channels: int = 24, seed: int = 0) -> list[Tensor]:
    """float32 maps of four sizes, in turn."""
    sizes = [(4, 3), (5, 2), (4, 3), (3, 3)]
    return [relu_maps(1, channels, *sizes[i % 4], seed=seed + i)[0].float() for i in range(count)]


def together(count: int, channels: int = 24, seed: int = 0) -> Tensor:
    return relu_maps(count, channels, 4, 3, seed=seed).float()


@pytest.mark.parametrize("purpose", PURPOSES, ids=str)
@pytest.mark.parametrize("gallery", [ragged(9, seed=5), together(9, seed=5)], ids=["ragged", "together"])
@pytest.mark.parametrize("probe", [ragged(5), together(5)], ids=["ragged", "together"])
def test_gives_the_bits_of_the_maps(probe: Any, gallery: Any, purpose: dict[str, Any]) -> None:
    dictionaries = prepare_gallery(gallery, **purpose)
    expected = dsr_distance(probe, gallery, **purpose, return_gap=True)
    found = dsr_distance(probe, dictionaries, return_gap=True)
    assert len(dictionaries) == 9
    assert torch.equal(found.distance, expected.distance)
    assert torch.equal(found.gap, expected.gap)


def test_groups_are_fixed_when_it_is_made() -> None:
    probe, gallery, groups = ragged(3), ragged(7, seed=5), [4, 2, 4, 4, 0, 2, 0]
    dictionaries = prepare_gallery(gallery, groups=groups)
    assert len(dictionaries) == 3
    assert torch.equal(dsr_distance(probe, dictionaries), dsr_distance(probe, gallery, groups=groups))


@pytest.mark.parametrize(
    "chosen",
    [2, -1, slice(1, 6), slice(None, None, -2), [3, 3, 0], torch.tensor([5, -2]), torch.arange(9) % 2 == 0, []],
    ids=str,
)
@pytest.mark.parametrize("purpose", [{}, {"method": "ridge", "scales": (1, 2)}], ids=str)
def test_an_index_gives_some_of_them(chosen: Any, purpose: dict[str, Any]) -> None:
    probe, gallery = ragged(3), ragged(9, seed=5)
    table = dsr_distance(probe, gallery, **purpose)
    some = prepare_gallery(gallery, **purpose)[chosen]
    expected = table[:, _numbers([chosen] if isinstance(chosen, int) else chosen)]
    assert len(some) == expected.shape[1]
    assert torch.equal(dsr_distance(probe, some), expected)


def _numbers(chosen: Any) -> list[int]:
    if isinstance(chosen, slice):
        return list(range(9))[chosen]
    if isinstance(chosen, Tensor) and chosen.dtype == torch.bool:
        return chosen.nonzero()[:, 0].tolist()
    return [int(i) % 9 for i in chosen]


def test_iterating_gives_each_alone() -> None:
    probe, gallery = ragged(2), ragged(5, seed=5)
    columns = [dsr_distance(probe, one) for one in prepare_gallery(gallery)]
    assert torch.equal(torch.cat(columns, dim=1), dsr_distance(probe, gallery))


@pytest.mark.parametrize("purpose", PURPOSES, ids=str)
def test_concatenation_keeps_the_order(purpose: dict[str, Any]) -> None:
    probe, gallery = ragged(3), ragged(9, seed=5)
    parts = [prepare_gallery(gallery[cut], **purpose) for cut in (slice(0, 4), slice(4, 4), slice(4, 9))]
    assert torch.equal(dsr_distance(probe, concatenate(parts)), dsr_distance(probe, gallery, **purpose))


@pytest.mark.parametrize("purpose", PURPOSES, ids=str)
@pytest.mark.parametrize("storage", [None, torch.float16, torch.bfloat16])
def test_a_file_brings_it_back(tmp_path: Path, purpose: dict[str, Any], storage: torch.dtype | None) -> None:
    probe, dictionaries = ragged(3), prepare_gallery(ragged(6, seed=5), storage=storage, **purpose)
    torch.save(dictionaries.state_dict(), tmp_path / "gallery.pt")
    restored = Dictionaries.from_state_dict(torch.load(tmp_path / "gallery.pt", weights_only=True))
    assert repr(restored) == repr(dictionaries)
    assert torch.equal(dsr_distance(probe, restored), dsr_distance(probe, dictionaries))


def test_the_state_is_made_of_tensors_that_safetensors_takes(tmp_path: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    dictionaries = prepare_gallery(ragged(6))
    safetensors.save_file(dictionaries.state_dict(), tmp_path / "gallery.safetensors")
    restored = Dictionaries.from_state_dict(safetensors.load_file(tmp_path / "gallery.safetensors"))
    assert torch.equal(dsr_distance(ragged(2), restored), dsr_distance(ragged(2), dictionaries))


@pytest.mark.parametrize("storage", [torch.float16, torch.bfloat16])
def test_storage_rounds_the_maps_once(storage: torch.dtype) -> None:
    probe, gallery = together(3), together(5, seed=5)
    dictionaries = prepare_gallery(gallery, storage=storage)
    assert dictionaries.storage == storage
    assert torch.equal(dsr_distance(probe, dictionaries), dsr_distance(probe, gallery.to(storage).float()))
    half = dsr_distance(probe.to(storage), dictionaries)
    assert half.dtype == storage
    assert torch.equal(half, dsr_distance(probe.to(storage), gallery.to(storage)))


def test_it_is_a_copy_without_gradients() -> None:
    probe, gallery = together(3).requires_grad_(), together(5, seed=5).requires_grad_()
    dictionaries = prepare_gallery(gallery)
    (of_probe,) = torch.autograd.grad(dsr_distance(probe, dictionaries).sum(), probe)
    assert torch.equal(of_probe, torch.autograd.grad(dsr_distance(probe, gallery).sum(), probe)[0])
    before = dsr_distance(probe, dictionaries)
    with torch.no_grad():
        gallery.zero_()
    assert torch.equal(dsr_distance(probe, dictionaries), before)


def test_an_empty_gallery_has_its_place() -> None:
    empty = prepare_gallery(torch.empty(0, 24, 4, 3))
    assert (len(empty), empty.channels) == (0, 24)
    assert dsr_distance(together(3), empty).shape == (3, 0)
    assert len(concatenate([empty, prepare_gallery(together(2))])) == 2
    assert len(Dictionaries.from_state_dict(empty.state_dict())) == 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda d: dsr_distance(together(2), d, 0.2),
            ValueError,
            "beta must be left out or be that of the .* 0.4, got 0.2",
        ),
        (lambda d: dsr_distance(together(2), d, scales=(1, 2)), ValueError, "scales must be left out"),
        (lambda d: dsr_distance(together(2), d, method="ridge"), ValueError, "method must be left out"),
        (lambda d: dsr_distance(together(2), d, groups=[1, 1]), ValueError, "groups must be left out"),
        (lambda d: dsr_distance(together(2, 25), d), ValueError, "as many channels as the prepared gallery, 24"),
        (lambda d: dsr_distance(together(2).double(), d), TypeError, "probe must be float64 where"),
        (lambda d: concatenate([d, d.state_dict()]), TypeError, "concatenate: parts must be"),
        (lambda d: concatenate([]), ValueError, "concatenate: parts must hold at least one"),
        (
            lambda d: concatenate([d, prepare_gallery(together(1), beta=0.2)]),
            ValueError,
            r"parts\[1\].*beta, 0.4, got 0.2",
        ),
        (lambda d: concatenate([d, prepare_gallery(together(1).half())]), TypeError, r"parts\[1\].*storage"),
        (lambda d: d[7], IndexError, r"must be in \[-2, 2\), got 7"),
        (lambda d: d[torch.tensor([True])], IndexError, "a mask must have 2 elements"),
        (lambda d: d[1.5], TypeError, "an index must be ints"),
        (lambda d: d["a"], TypeError, r"an index must be ints .*, got 'a' \(str\)"),
        (lambda d: d[None], TypeError, "an index must be ints .*, got None"),
        (lambda d: Dictionaries.from_state_dict(3), TypeError, r"expected a dict of tensors, got 3 \(int\)"),
        (lambda d: Dictionaries.from_state_dict({}), ValueError, "expected a tensor 'like', got an empty dict"),
        (lambda d: prepare_gallery(together(1), method="joint"), ValueError, "prepare_gallery: method must be 'lasso'"),
        (lambda d: prepare_gallery(together(1), storage=torch.int8), TypeError, "prepare_gallery: storage must be"),
        (lambda d: prepare_gallery(together(1), beta=-1), ValueError, "prepare_gallery: beta must be"),
        (lambda d: prepare_gallery([1]), TypeError, r"prepare_gallery: gallery\[0\] must be a tensor"),
    ],
)
def test_refusals_name_the_argument(call: Any, error: type[Exception], message: str) -> None:
    dictionaries = prepare_gallery(together(2))
    with pytest.raises(error, match=message):
        call(dictionaries)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("like", None, "expected a tensor 'like'"),
        ("0.gram", torch.zeros(2, 3, 3), "'0.gram' must be a tensor of shape"),
        ("0.cells", torch.zeros(2, 24, 12).half(), "'0.cells' must be torch.float32"),
        ("0.numbers", torch.tensor([0, 0]), "numbers must be 0 to 1, once each"),
        ("method", torch.tensor(5), "method must be 0 or 1"),
    ],
)
def test_a_damaged_state_is_named(key: str, value: Tensor | None, message: str) -> None:
    state = prepare_gallery(together(2)).state_dict()
    if value is None:
        del state[key]
    else:
        state[key] = value
    with pytest.raises(ValueError, match=message):
        Dictionaries.from_state_dict(state)


def test_parameters_that_agree_may_be_given() -> None:
    dictionaries = prepare_gallery(together(2), beta=0.2, scales=(1, 2))
    assert (dictionaries.beta, dictionaries.scales, dictionaries.method) == (0.2, (1, 2), "lasso")
    given = reidops.dsr_distance(together(2), dictionaries, 0.2, scales=(1, 2), method="lasso")
    assert torch.equal(given, dsr_distance(together(2), dictionaries))
