"""Eq. 5 and 6, what is frozen, what triples are, and every recipe's training at the size of a test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from reidops_models.boxes import box_iou
from reidops_models.checkpoint import CheckpointError, load_checkpoint
from reidops_models.data import ReidDataset, Sample, read_image
from reidops_models.data.synthetic import load_annotations
from reidops_models.paper import find_paper
from reidops_models.recipe import RecipeError, load_recipe
from reidops_models.stnreid import StnreidNetwork, StnreidRecipe
from reidops_models.stnreid.losses import box_loss, stn_loss
from reidops_models.stnreid.merge import merge
from reidops_models.stnreid.training import TripleModule, build_data
from reidops_models.stnreid.triples import CrossTripleDataModule, OtherImage, Triples, draw_crops, read_frames
from reidops_models.training.data import TrainingError, TrainingImages
from reidops_models.training.run import train

from .conftest import Tiny, trained

RECIPES = sorted(path.stem for path in (find_paper("stnreid").folder / "recipes").glob("*.yaml"))


def module_of(recipe: StnreidRecipe) -> TripleModule:
    network = trained(recipe).network.train()
    assert isinstance(network, StnreidNetwork)
    module = TripleModule(network, recipe)
    module.log_dict = lambda values, **options: module.logged.update(values)  # type: ignore[method-assign,assignment]
    module.logged = {}  # type: ignore[assignment]
    return module


def batch_of(count: int = 4, boxes: bool = True) -> Triples:
    torch.manual_seed(1)
    box = torch.tensor([0.0, 0.3, 1.0, 1.0]).expand(count, 4)
    return Triples(
        torch.rand(count, 3, 64, 32), torch.rand(count, 3, 64, 32), torch.arange(count) // 2, box if boxes else None
    )


def test_eq_5_is_a_sum_over_the_feature() -> None:
    f_p, f_a = torch.rand(2, 3, 5).unbind()
    expected = sum(sum((f_p[b, c] - f_a[b, c]) ** 2 for c in range(5)) for b in range(3)) / 3
    torch.testing.assert_close(stn_loss(f_p, f_a), expected)
    with pytest.raises(ValueError, match=r"stn_loss: affined must have partial's shape \(3, 5\), got \(3, 4\)"):
        stn_loss(f_p, f_a[:, :4])


@pytest.mark.parametrize("weight", [0.0, 0.02, 1.0])
def test_eq_6_is_three_reid_losses_and_l_stn(tiny: Tiny, weight: float) -> None:
    losses = [{"name": "cross_entropy", "label_smoothing": 0.1}, {"name": "triplet", "margin": 0.3}]
    module, batch = module_of(tiny(losses=losses, stn={"weight": weight})), batch_of()
    network = module.network
    assert isinstance(network, StnreidNetwork)
    network.eval()  # so that passing three kinds together is passing each alone
    found = module.training_step(batch, 0)

    theta = network.locate(batch.holistic, batch.partial)
    kinds = [batch.holistic, batch.partial, network.affine(batch.holistic, theta)]
    features = [network.embed(images) for images in kinds]
    total = weight * (features[1] - features[2]).square().sum(dim=1).mean()
    for one in features:
        total = total + F.cross_entropy(network.classifier(one), batch.labels, label_smoothing=0.1)
        total = total + batch_hard(one, batch.labels, margin=0.3)
    torch.testing.assert_close(found, total, rtol=1e-4, atol=1e-4)


def batch_hard(features: Tensor, labels: Tensor, margin: float) -> Tensor:
    """The triplet loss of each image's farthest image of its person and nearest of another; means over the
    triplets that are not 0, as the library does."""
    far = torch.cdist(features, features)
    same = labels[:, None] == labels
    values = torch.stack(
        [(far[i][same[i]].max() - far[i][~same[i]].min() + margin).clamp(min=0) for i in range(len(labels))]
    )
    return values.sum() / (values > 0).sum().clamp(min=1)


@pytest.mark.parametrize(("frozen", "kept"), [("stn", "localisation."), ("reid", ("backbone.", "classifier."))])
def test_a_frozen_module_keeps_weights_and_statistics(
    tiny: Tiny, dataset: ReidDataset, checkpoint: Path, tmp_path: Path, frozen: str, kept: Any
) -> None:
    losses = [] if frozen == "reid" else [{"name": "cross_entropy"}]
    recipe = tiny(losses=losses, stn={"frozen": frozen, "weight": 1.0})
    weights = train(recipe, dataset, tmp_path / "out", start=checkpoint, progress=False)
    before, after = (load_checkpoint(path).network.state_dict() for path in (checkpoint, weights))
    for name, value in before.items():
        changed = not torch.equal(value, after[name])
        assert changed != name.startswith(kept), name


def test_a_rate_of_its_own(tiny: Tiny) -> None:
    recipe = tiny(stn={"rate": 3.0})
    module = module_of(recipe)
    groups = list(module.parameter_groups())
    assert [group["lr"] for group in groups] == [recipe.optimizer.lr, 3 * recipe.optimizer.lr]
    counts = [sum(value.numel() for value in group["params"]) for group in groups]
    assert sum(counts) == sum(value.numel() for value in module.network.parameters())


def test_boxes_teach_theta_and_nothing_else(tiny: Tiny) -> None:
    module, batch = module_of(tiny("demo_boxes", stn={"holistic": "same"})), batch_of()
    module.training_step(batch, 0).backward()
    assert all(
        (value.grad is None) != name.startswith("localisation") for name, value in module.network.named_parameters()
    )
    theta = torch.eye(2, 3).repeat(4, 1, 1)
    truth = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.7, 0.3]]).repeat(4, 1, 1)
    assert box_loss(theta, truth).item() == pytest.approx(0.6 / 6)
    with pytest.raises(ValueError, match=r"box_loss: truth must have theta's shape \(4, 2, 3\), got \(1, 2, 3\)"):
        box_loss(theta, truth[:1])
    with pytest.raises(TrainingError, match="boxes need person frames"):
        module.training_step(batch_of(boxes=False), 0)


def test_the_box_that_is_logged_is_the_sampled_one(tiny: Tiny) -> None:
    module, batch = module_of(tiny()), batch_of()
    torch.nn.init.zeros_(module.network.localisation.last.weight)  # type: ignore[union-attr,arg-type]
    module.training_step(batch, 0)
    whole = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(4, 4)
    assert batch.boxes is not None
    assert module.logged["iou"] == pytest.approx(float(box_iou(whole, batch.boxes).mean()))  # type: ignore[index]
    assert float(module.logged["iou"]) == pytest.approx(0.7)  # type: ignore[index]


def test_a_triple_is_an_image_and_a_part_of_it(tiny: Tiny, dataset: ReidDataset) -> None:
    recipe = tiny(images={"flip": 0.0, "shift": 0.0, "jitter": 0.0})
    images = TrainingImages(dataset.train, recipe.images)
    torch.manual_seed(0)
    triples = build_data(images, recipe).prepare(images.__getitems__([0, 5, 9]))
    assert triples.boxes is not None
    assert triples.labels.tolist() == images.labels[[0, 5, 9]].tolist()
    for holistic, partial, box in zip(triples.holistic, triples.partial, triples.boxes, strict=True):
        left, top, right, bottom = (box * torch.tensor([32, 64, 32, 64])).tolist()
        middle = holistic[:, round((top + bottom) / 2 - 0.5), round((left + right) / 2 - 0.5)]
        # The middle of the box is the middle of the partial image; neighbouring pixels differ a little.
        assert (partial[:, 31:33, 15:17].mean(dim=(1, 2)) - middle).abs().max() < 0.25


def test_two_images_show_one_person_and_the_box_is_where_her_body_is(tiny: Tiny, dataset: ReidDataset) -> None:
    recipe = tiny("demo_boxes")
    images = TrainingImages(dataset.train, recipe.images)
    data = build_data(images, recipe)
    assert isinstance(data, CrossTripleDataModule)
    assert isinstance(data.examples, OtherImage)
    assert len(data.examples) == 8 * 4 * 3  # eight people, four images each, with three others
    holistic, whole, labels, first, second = data.examples.__getitems__(list(range(0, 96, 5)))
    assert torch.equal(images.labels[first], images.labels[second])
    assert torch.equal(labels, images.labels[first])
    assert (first != second).all()

    torch.manual_seed(0)
    triples = data.prepare((holistic, whole, labels, first, second))
    frames = read_frames(dataset.train)
    assert frames is not None
    assert triples.boxes is not None
    torch.manual_seed(0)
    crops = draw_crops(len(first))
    for crop, box, a, b in zip(crops, triples.boxes, first, second, strict=True):
        for side in range(4):  # every edge, as a share of the person frame, is the same in both images
            low, high = side % 2, side % 2 + 2
            shares = [
                (edge[side] - frames[i][low]) / (frames[i][high] - frames[i][low]) for edge, i in ((crop, b), (box, a))
            ]
            assert shares[0].item() == pytest.approx(shares[1].item(), abs=1e-4)


def test_frames_come_from_the_annotations(dataset: ReidDataset, tmp_path: Path) -> None:
    sample = dataset.probes("partial_query")[3]
    known = load_annotations(dataset.root)[f"partial_query/{sample.path.name}"]
    frames = read_frames([sample])
    assert frames is not None
    assert frames[0].tolist() == pytest.approx(known.person)
    folder = tmp_path / "bounding_box_train"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(sample.path.read_bytes())
    assert read_frames([sample, Sample(folder / "a.jpg")]) is None
    assert read_image(folder / "a.jpg").shape[0] == 3


def test_people_of_one_image_make_no_pair(tiny: Tiny, dataset: ReidDataset) -> None:
    recipe = tiny("demo_boxes")
    with pytest.raises(TrainingError, match="no identity has another training image"):
        build_data(TrainingImages(dataset.train[:1], recipe.images), recipe)


def test_merge_mode_takes_one_module_of_each(tiny: Tiny, tmp_path: Path) -> None:
    stn, reid = trained(tiny(), seed=1), trained(tiny(), seed=2)
    merged = merge(stn, reid)
    assert merged.recipe == reid.recipe
    for name, value in merged.network.state_dict().items():
        source = stn if name.startswith("localisation.") else reid
        assert torch.equal(value, source.network.state_dict()[name]), name
    other = trained(tiny(images={"size": [32, 32]}))
    with pytest.raises(CheckpointError, match=r"images of one size, got \(32, 32\) .* \(64, 32\)"):
        merge(other, reid)
    with pytest.raises(CheckpointError, match="one convention of align_corners"):
        merge(trained(tiny(network={"align_corners": True})), reid)
    with pytest.raises(CheckpointError, match="expected checkpoints of stnreid, got one of dsr"):
        merge(stn, replace(reid, network=torch.nn.Linear(1, 1), recipe=load_recipe("dsr/demo")))


@pytest.mark.parametrize("name", [name for name in RECIPES if name.startswith("demo")])
def test_every_recipe_of_the_miniature_trains(
    name: str, tiny: Tiny, dataset: ReidDataset, checkpoint: Path, tmp_path: Path
) -> None:
    recipe = tiny(name)
    if recipe.needs_start:
        with pytest.raises(TrainingError, match="a fine-tuning needs a checkpoint"):
            train(recipe, dataset, tmp_path / "out", progress=False)
    start = checkpoint if recipe.needs_start else None
    weights = train(recipe, dataset, tmp_path / "out", start=start, progress=False)
    found = load_checkpoint(weights, model="stnreid")
    assert all(value.isfinite().all() for value in found.network.state_dict().values())


def test_the_papers_values() -> None:
    for name in (name for name in RECIPES if name.startswith("market1501")):
        recipe = load_recipe(f"stnreid/{name}")
        assert isinstance(recipe, StnreidRecipe)
        assert recipe.network.backbone == "resnet50"
        assert recipe.images.size == (256, 128)
        assert (recipe.batches.size, recipe.batches.images_per_identity) == (32, 4)
        assert (recipe.optimizer.name, recipe.optimizer.lr, recipe.optimizer.weight_decay) == ("adam", 2e-4, 5e-4)
        assert (recipe.schedule.milestones, recipe.schedule.gamma, recipe.training.epochs) == ((150,), 0.1, 300)
        assert all(loss.margin == 0.3 for loss in recipe.losses if loss.name == "triplet")
        assert recipe.stn is None or (recipe.stn.weight, recipe.stn.supervision) == (1.0, "features")
    settings = {}
    for number in range(1, 6):
        recipe = load_recipe(f"stnreid/market1501_ep{number}")
        assert isinstance(recipe, StnreidRecipe)
        names = {loss.name: loss for loss in recipe.losses}
        settings[number] = (
            recipe.network.weights is not None,
            names["cross_entropy"].label_smoothing > 0,
            "triplet" in names,
        )
    assert settings == {
        1: (False, False, False),
        2: (True, False, False),
        3: (True, True, False),
        4: (True, False, True),
        5: (True, True, True),
    }


@pytest.mark.parametrize(
    ("name", "sections", "message"),
    [
        ("demo_stage1", {"images": {"partial": 0.5}}, "images.partial: the holistic image of a triple is whole"),
        ("demo_stage1", {"losses": []}, "losses: expected one or more, for the ReID module learns"),
        ("demo_stage1", {"stn": {"frozen": "reid"}}, "losses: expected none"),
        ("demo_boxes", {"images": {"flip": 0.5}}, "images.flip, images.shift: two images of a person"),
        ("demo_boxes", {"batches": {"images_per_identity": 4}}, "batches.images_per_identity: pairs with"),
        (
            "demo_stage1",
            {"stn": {"frozen": "stn", "supervision": "boxes"}},
            "boxes teach the STN module, which is frozen",
        ),
        ("demo_stage1", {"stn": {"weight": -1.0}}, "stn.weight: Input should be greater than or equal to 0"),
    ],
)
def test_a_recipe_says_what_does_not_go_together(tiny: Tiny, name: str, sections: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        tiny(name, **sections)
