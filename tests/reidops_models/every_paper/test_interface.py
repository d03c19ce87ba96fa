"""What a paper says of itself is so."""

from __future__ import annotations

import copy
import typing
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from reidops_models.checkpoint import load_checkpoint, shipped_checkpoint
from reidops_models.matching import Images, Matcher, TwoStageMatcher, distance_tables
from reidops_models.paper import Paper
from reidops_models.recipe import Recipe, RecipeError, load_recipe, parse_recipe

from ..fake_gpu import fake_gpu, is_there

OTHER_VALUES = (0.3, 4, [1])  # for an option that is a number or a list


def test_identity_weights_are_those_that_grow_with_the_people(paper: Paper[Any, Any], recipe: Path) -> None:
    few, more = (paper.build_network(load_recipe(recipe), people).state_dict() for people in (8, 12))
    assert list(few) == list(more)
    growing = {name for name in few if few[name].shape != more[name].shape}
    assert growing == {name for name in few if paper.is_identity_weight(name)}


def test_tiny_changes_a_copy(paper: Paper[Any, Any]) -> None:
    values = load_checkpoint(shipped_checkpoint(paper.name)).recipe.model_dump(mode="json")
    before = copy.deepcopy(values)
    tiny = parse_recipe(paper.tiny(values))
    assert values == before
    assert isinstance(tiny, paper.recipe)
    assert tiny.training.epochs == 1


def test_every_option_of_matching_reaches_those_who_are_said_to_read_it(paper: Paper[Any, Any]) -> None:
    checkpoint = load_checkpoint(shipped_checkpoint(paper.name))

    def read_by(recipe: Recipe) -> tuple[list[Any], list[Any], list[Any]]:
        methods = paper.build_methods(checkpoint.network, recipe)
        rivals = paper.build_rivals(checkpoint.network, recipe)
        return settings([methods.main]), settings(methods.others), settings(rivals)

    before = read_by(checkpoint.recipe)
    main, others, rivals = (
        set(paper.matching_options(**chosen)) for chosen in ({}, {"others": True}, {"rivals": True})
    )
    options = set(paper.matching_options(others=True, rivals=True))
    assert options == main | others | rivals
    for name in options:
        after = read_by(with_another_value(checkpoint.recipe, name))
        assert (after[0] != before[0]) == (name in main), name
        if name not in main:
            assert (after[1] != before[1]) == (name in others), name
            assert (after[2] != before[2]) == (name in rivals), name


def test_what_is_no_option_is_no_option(paper: Paper[Any, Any]) -> None:
    assert paper.other_options | paper.rival_options <= set(paper.matching_options(others=True, rivals=True))


def test_another_default_type_changes_nothing(paper: Paper[Any, Any]) -> None:
    generator = torch.Generator().manual_seed(0)
    probes, gallery = ([torch.rand(3, *size, generator=generator) for _ in range(2)] for size in ((64, 32), (128, 64)))

    def found() -> list[Tensor]:
        checkpoint = load_checkpoint(shipped_checkpoint(paper.name))
        tables = []
        for matcher in checkpoint.matchers([(128, 64)] * 2, rivals=True):
            left, right = matcher.embed(probes, role="probe"), matcher.embed(gallery, role="gallery")
            tables += [matcher.distances(left, right), matcher.distances(left, right[:0])]
        return tables

    expected = found()
    torch.set_default_dtype(torch.float64)
    try:
        tables = found()
    finally:
        torch.set_default_dtype(torch.float32)
    assert_close(tables, expected, rtol=0, atol=0)  # dtypes, too


def test_a_shortlist_of_all_images_changes_no_distance(paper: Paper[Any, Any]) -> None:
    generator = torch.Generator().manual_seed(0)
    probes, gallery = ([torch.rand(3, *size, generator=generator) for _ in range(3)] for size in ((64, 32), (128, 64)))
    methods = load_checkpoint(shipped_checkpoint(paper.name)).methods([(128, 64)] * 3)
    quick, main = methods.quick or methods.main, methods.main
    matcher = TwoStageMatcher(quick, main, shortlist=3)
    left, right = matcher.embed(probes, role="probe"), matcher.embed(gallery)
    expected = main.distances(main.embed(probes, role="probe"), main.embed(gallery))
    assert_close(matcher.distances(left, right), expected, rtol=1e-5, atol=1e-6)
    assert_close([one.first for one in left], list(quick.embed(probes, role="probe")), rtol=0, atol=0)


def test_blocks_of_the_gallery_and_probes_from_files_change_no_distance(paper: Paper[Any, Any]) -> None:
    """As little memory as there may be: the features of every paper go through a temporary folder and come back."""
    torch.manual_seed(0)
    probes, gallery = ([torch.rand(3, *size) for size in ((128, 64), (90, 60)) * 9] for _ in range(2))
    checkpoint = load_checkpoint(shipped_checkpoint(paper.name))
    expected = {
        matcher.name: matcher.distances(matcher.embed(probes, role="probe"), matcher.embed(gallery))
        for matcher in checkpoint.matchers()
    }
    matchers = checkpoint.matchers()
    for matcher, table in distance_tables(matchers, Images.of(probes), Images.of(gallery), memory=1 << 16):
        assert_close(table[:], expected.pop(matcher.name), rtol=1e-4, atol=1e-5)
    assert not expected


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_images_of_any_floating_type_are_the_same_images(paper: Paper[Any, Any], dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)  # images that are exact in all of them
    probe, image = (torch.randint(0, 256, (3, *size), generator=generator) / 256 for size in ((64, 32), (128, 64)))
    for matcher in load_checkpoint(shipped_checkpoint(paper.name)).matchers([(128, 64)], rivals=True):
        expected, found = (
            matcher.distances(
                matcher.embed([probe.to(kind)], role="probe"), matcher.embed([image.to(kind)], role="gallery")
            )
            for kind in (torch.float32, dtype)
        )
        assert_close(found, expected, rtol=0, atol=0)


def test_a_network_on_a_gpu_compares_there(paper: Paper[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    probes, gallery = ([torch.rand(3, *size, generator=generator) for _ in range(2)] for size in ((64, 32), (128, 64)))
    checkpoint = load_checkpoint(shipped_checkpoint(paper.name))

    def found(matcher: Matcher) -> Tensor:
        left, right = matcher.embed(probes, role="probe"), matcher.embed(gallery, role="gallery")
        return matcher.distances(left, right)

    expected = [found(matcher) for matcher in checkpoint.matchers([(128, 64)] * 2, rivals=True)]
    with fake_gpu(monkeypatch) as gpu:
        checkpoint.to("cuda")
        for matcher, distances in zip(checkpoint.matchers([(128, 64)] * 2, rivals=True), expected, strict=True):
            before = gpu.calls
            there = found(matcher)
            explanation = matcher.explain(probes[0], gallery[0])
            assert gpu.calls > before + 50, matcher.name
            assert there.device == torch.device("cpu"), matcher.name
            assert_close(there, distances, rtol=0, atol=0)
            for name, value in vars(explanation).items() if explanation is not None else ():
                assert not isinstance(value, Tensor) or not is_there(value), (matcher.name, name)
        checkpoint.to("cpu")
    assert_close(found(checkpoint.methods([(128, 64)] * 2).main), expected[-1], rtol=0, atol=0)


def settings(matchers: typing.Iterable[Matcher]) -> list[dict[str, Any]]:
    """What each matcher was built with: its plain attributes."""
    plain = (bool, int, float, str, tuple)
    return [{name: value for name, value in vars(one).items() if isinstance(value, plain)} for one in matchers]


def with_another_value(recipe: Recipe, option: str) -> Recipe:
    """The recipe with a value of the option that it does not have, whatever the option's type."""
    values = recipe.model_dump(mode="json")
    field = type(getattr(recipe, "matching")).model_fields[option]  # noqa: B009  # a section that not all recipes have
    for value in (*OTHER_VALUES, *typing.get_args(field.annotation)):
        if value == values["matching"][option] or isinstance(value, type):
            continue
        try:
            return parse_recipe({**values, "matching": {**values["matching"], option: value}})
        except RecipeError:
            continue
    raise AssertionError(f"no other value of matching.{option}")
