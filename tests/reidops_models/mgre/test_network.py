"""Fig. 2: what is made of what."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from reidops_models.mgre.modules import Embedding, pooled
from reidops_models.mgre.network import MgreNetwork
from reidops_models.mgre.recipe import NetworkOptions
from reidops_models.mgre.regions import REGIONS

SLIM = {"backbone": "resnet50_ibn_a_slim", "dimensions": 16, "location_width": 8}


def build(**changes: Any) -> MgreNetwork:
    torch.manual_seed(0)
    return MgreNetwork(NetworkOptions(**{**SLIM, **changes}), (64, 32), identities=5).eval()


def joints(batch: int) -> torch.Tensor:
    return torch.cat((torch.rand(batch, 17, 2), torch.ones(batch, 17, 1)), dim=2)


def test_the_papers_feature_has_2048_values_and_table_1s_sizes() -> None:
    with torch.device("meta"):
        network = MgreNetwork(NetworkOptions(backbone="resnet50_ibn_a"), (256, 128), identities=751)
        stages = {1: (256, 64, 32), 2: (512, 32, 16), 3: (1024, 16, 8)}
        maps = network.backbone.stage_maps(torch.zeros(1, 3, 256, 128))
    for stage, shape in stages.items():
        assert tuple(maps[stage - 1].shape) == (1, *shape)
        sizes = [region.size for region in REGIONS if region.stage == stage]
        assert network.sizes(stage) == sizes
    assert 4 * network.options.dimensions == 2048


def test_block_4s_maps_are_added_to_the_first_two_stages_alone() -> None:
    assert set(build().guides) == {"1", "2"}
    assert set(build(stages=[3]).guides) == set()
    network = build()
    maps, last = torch.rand(1, 64, 16, 8), torch.rand(1, 512, 4, 2)
    larger = F.interpolate(last, (16, 8), mode="bilinear", align_corners=False)
    torch.testing.assert_close(network.guided(1, maps, last), maps + network.guides["1"](larger))


def test_feature_extractors_are_one_residual_block_for_each_region_and_not_shared() -> None:
    network = build()
    counts = {stage: len(list(blocks)) for stage, blocks in network.extractors.items()}
    assert counts == {"1": 4, "2": 2, "3": 1}
    weights = [block.conv2.weight for block in network.extractors["1"]]
    assert len({weight.data_ptr() for weight in weights}) == 4


def test_the_embedding_pools_adds_and_concatenates() -> None:
    embedding = Embedding(6, 4, 3).eval()
    one, other = torch.randn(2, 2, 5, 3), torch.randn(2, 4, 2, 2)
    expected = [maps.flatten(2).mean(dim=2) + maps.flatten(2).max(dim=2).values for maps in (one, other)]
    torch.testing.assert_close(pooled(one), expected[0])
    torch.testing.assert_close(embedding([one, other]), torch.cat(expected, dim=1) @ embedding.linear.weight.mT)


def test_given_boxes_must_be_given() -> None:
    with pytest.raises(ValueError, match="poses: a network of given boxes needs the joints"):
        build(boxes="given").embed(torch.rand(1, 3, 64, 32))


def test_given_boxes_are_the_joints_or_the_predefined_ones() -> None:
    network = build(boxes="given")
    poses = joints(2)
    poses[1, :, 2] = 0
    with torch.inference_mode():
        boxes = network.describe(torch.rand(2, 3, 64, 32), poses).boxes
    hull = poses[0, :, :2]
    expected = torch.cat((hull.amin(dim=0) - 0.05, hull.amax(dim=0) + 0.05))
    torch.testing.assert_close(boxes[3][0, 0], expected)
    torch.testing.assert_close(boxes[3][1, 0], network.predefined(3, poses)[0])
    torch.testing.assert_close(network.predefined(3, poses)[0], torch.tensor([0.0, 0.0, 1.0, 1.0]))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stages": [2, 1]}, "expected different stages, the lowest first"),
        ({"regions": "whole", "boxes": "given"}, "regions: whole maps have no boxes"),
        ({"sampling": False, "boxes": "given"}, "no region is used at all"),
    ],
)
def test_options_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        NetworkOptions(**{**SLIM, **changes})
