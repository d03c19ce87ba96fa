"""What is special in the tables of the MGRe paper: what is compared with what."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from reidops_models.mgre.modules import pooled
from reidops_models.mgre.network import MgreNetwork
from reidops_models.mgre.recipe import NetworkOptions
from reidops_models.mgre.regions import REGIONS
from reidops_models.reproduction import Study
from reidops_models.reproduction.mgre import published
from reidops_models.reproduction.mgre.activation import activation_maps, pasted
from reidops_models.reproduction.mgre.complexity import count_operations
from reidops_models.reproduction.mgre.experiments import NETWORKS, MgreRuns
from reidops_models.reproduction.mgre.tables import CLAIMS_OF_TABLE_4, CLAIMS_OF_TABLE_5, CLAIMS_OF_TABLE_7


def build(**changes: Any) -> MgreNetwork:
    options = {"backbone": "resnet50_ibn_a_slim", "dimensions": 16, "location_width": 8, **changes}
    torch.manual_seed(0)
    return MgreNetwork(NetworkOptions(**options), (64, 32), identities=5).eval()


def test_every_claim_holds_in_the_papers_own_numbers() -> None:
    table_4 = {name: by_set[published.MARKET] for name, by_set in published.TABLE_4.items()}
    for claims, printed, columns in (
        (CLAIMS_OF_TABLE_4, table_4, {"r1": 0, "mAP": 1}),
        (CLAIMS_OF_TABLE_5, published.TABLE_5, {"r1": 0, "r5": 1, "mAP": 2}),
        (CLAIMS_OF_TABLE_7, published.TABLE_7, {"r1": 0, "r5": 1, "mAP": 2}),
    ):
        for claim in claims:
            column = columns[claim.metric]
            assert printed[claim.better][column] > printed[claim.worse][column], str(claim)


def test_erased_images_are_the_same_for_every_network(study: Study) -> None:
    runs = MgreRuns(study)
    search = study.search(0, "query")
    network = runs.network(0, "MGRe")
    plain = torch.cat(runs.batches(network, search.probes, None))
    erased = torch.cat(runs.batches(network, search.probes, (0, 0)))
    again = torch.cat(runs.batches(runs.network(0, "Baseline"), search.probes, (0, 0)))
    other = torch.cat(runs.batches(network, search.probes, (0, 1)))
    assert erased.equal(again)
    assert not erased.equal(other)
    changed = (erased != plain).flatten(1).any(dim=1).float().mean()
    assert 0.2 <= float(changed) <= 0.8


def test_location_errors_of_exact_boxes_are_none(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    from reidops_models.mgre.poses import read_poses
    from reidops_models.mgre.regions import region_boxes, regions_of

    runs = MgreRuns(study)
    people = study.people(0)
    poses = read_poses([*people.query, *people.gallery])
    exact = {stage: region_boxes(poses, regions_of(stage))[0] for stage in (1, 2, 3)}
    monkeypatch.setattr(runs, "located", lambda network, images: [exact])
    errors = runs.location_errors(0, "MGRe")
    assert set(errors) == {region.name for region in REGIONS}
    for found, predefined, edge in errors.values():
        assert found == pytest.approx(1, abs=1e-4)
        assert 0 < predefined < 1
        assert edge == pytest.approx(0, abs=1e-6)


def test_what_is_kept_is_not_computed_again(study: Study) -> None:
    runs = MgreRuns(study)
    runs.matched(0, "MGRe without JO")
    runs.matched(0, "MGRe without JO", erased=True)
    folder = study.checkpoint(0, "MGRewithoutJO").with_name("distances")
    assert {file.stem for file in folder.iterdir()} == {"erased", "plain"}


def test_the_papers_network_has_the_operations_of_table_8() -> None:
    network = MgreNetwork(NetworkOptions(backbone="resnet50_ibn_a"), (256, 128), identities=751).eval()
    total = sum(count_operations(network).values()) / 1e9
    assert total == pytest.approx(published.GFLOPS, rel=0.01)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_row_of_the_tables(name: str) -> None:
    network = build(**NETWORKS[name])
    joints = torch.cat((torch.rand(2, 17, 2), torch.ones(2, 17, 1)), dim=2)
    poses = joints if network.options.takes_boxes else None
    with torch.inference_mode():
        feature = network.embed(torch.rand(2, 3, 64, 32), poses)
        predictions = network.classify(torch.rand(2, 3, 64, 32), poses)
    assert feature.shape == (2, 16 * len(network.featured))
    torch.testing.assert_close(feature.norm(dim=1), torch.ones(2))
    assert set(predictions.logits) == set(predictions.features) == set(network.featured)
    assert all(logits.shape == (2, 5) for logits in predictions.logits.values())
    located = network.options.locates or network.options.takes_boxes
    assert set(predictions.boxes) == (set(network.options.stages) if located else set())


def test_class_activation_maps_add_up_to_the_logit() -> None:
    """What a stage of whole maps gives to GAP: the mean of the map is the part of the logit that GAP carries."""
    network = build(regions="whole")
    images, labels = torch.rand(2, 3, 64, 32), torch.tensor([1, 4])
    maps = activation_maps(network, images, labels)
    assert {stage: tuple(one.shape) for stage, one in maps.items()} == dict.fromkeys((1, 2, 3, 4), (2, 64, 32))
    with torch.no_grad():
        described = network.describe(images)
        embedding = network.embedding(3)
        whole = described.maps[3][0]
        both = embedding.classify(embedding.linear(pooled(whole)))
        peak = embedding.classify(embedding.linear(whole.amax(dim=(2, 3))))
    carried = (both - peak).gather(1, labels[:, None])[:, 0]
    torch.testing.assert_close(maps[3].mean(dim=(1, 2)), carried, rtol=2e-2, atol=2e-3)


def test_maps_are_pasted_where_their_boxes_are() -> None:
    drawn = pasted(torch.ones(1, 4, 2), torch.tensor([[0.25, 0.5, 0.75, 1.0]]), (8, 8))[0]
    expected = torch.zeros(8, 8)
    expected[4:, 2:6] = 1
    torch.testing.assert_close(drawn, expected)
    ramp = torch.arange(8.0).view(1, 8, 1)
    torch.testing.assert_close(pasted(ramp, torch.tensor([[0.0, 0.0, 1.0, 1.0]]), (8, 1))[0], ramp[0])
