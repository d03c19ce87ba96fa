"""Figures: the mapping from joints to regions, located regions, and class activation maps."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import ImageDraw
from torch import Tensor

from reidops_models.data import read_image, resize_image
from reidops_models.matching.explanations.colours import css, position_colours
from reidops_models.mgre.network import MgreNetwork
from reidops_models.mgre.poses import read_poses
from reidops_models.mgre.regions import REGIONS, region_boxes
from reidops_models.report import draw_grid, heat
from reidops_models.report.pixels import to_pillow
from reidops_models.reproduction.mgre.activation import activation_maps
from reidops_models.reproduction.mgre.experiments import MgreRuns

PEOPLE = 6
LARGE = 4  # enlargement of what is drawn on
STAGES = (1, 2, 3)


def draw_mapping(runs: MgreRuns, path: Path) -> Path:
    """Joints and the boxes that eq. 3 makes of them, one column per stage."""
    people = runs.study.people(runs.study.seeds[0])
    samples = people.query[:: max(1, len(people.query) // PEOPLE)][:PEOPLE]
    poses = read_poses(samples)
    boxes, there = region_boxes(poses, REGIONS)
    rows: list[list[Tensor | None]] = []
    for index, sample in enumerate(samples):
        image = read_image(sample.path)
        row: list[Tensor | None] = [image]
        for stage in STAGES:
            of = [i for i, region in enumerate(REGIONS) if region.stage == stage]
            row.append(with_boxes(image, boxes[index, of], there[index, of], poses[index]))
        rows.append(row)
    return draw_grid(rows, ["picture", *(f"stage {stage}: joints, boxes" for stage in STAGES)], path)


def draw_regions(runs: MgreRuns, variant: str, path: Path) -> Path:
    """The regions that a network locates on test people, one column per stage."""
    seed = runs.study.seeds[0]
    network: MgreNetwork = runs.network(seed, variant)
    probes = runs.search(seed).probes
    rows: list[list[Tensor | None]] = []
    for image in probes[:: max(1, len(probes) // PEOPLE)][:PEOPLE]:
        resized = resize_image(image, *network.image_size)
        with torch.inference_mode():
            boxes = network.describe(resized[None]).boxes
        rows.append([image, *(with_boxes(resized, boxes[stage][0]) for stage in boxes)])
    return draw_grid(rows, ["picture", *(f"stage {stage}, located" for stage in network.options.stages)], path)


def draw_figure4(runs: MgreRuns, variant: str, baseline: str, path: Path) -> Path:
    """Class activation maps of training people: the baseline's, and every stage's."""
    seed = runs.study.seeds[0]
    networks: list[MgreNetwork] = [runs.network(seed, one) for one in (baseline, variant)]
    train = runs.study.people(seed).train
    pids = sorted({sample.pid for sample in train})
    samples = train[:: max(1, len(train) // PEOPLE)][:PEOPLE]
    images = torch.stack([resize_image(read_image(one.path), *networks[0].image_size) for one in samples])
    labels = torch.tensor([pids.index(sample.pid) for sample in samples])
    base, stages = (activation_maps(network, images, labels) for network in networks)
    columns = [*base.values(), *stages.values(), torch.stack([scaled(one) for one in stages.values()]).mean(dim=0)]
    rows: list[list[Tensor | None]] = [
        [image, *(heat(image, scaled(column)[index]) for column in columns)] for index, image in enumerate(images)
    ]
    headings = ["picture", "baseline", *(f"stage {stage}" for stage in stages), "all stages"]
    return draw_grid(rows, headings, path)


def scaled(maps: Tensor) -> Tensor:
    """(B, H, W) with each map's positive part in [0, 1]."""
    positive = maps.clamp(min=0)
    return positive / positive.amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)


def with_boxes(image: Tensor, boxes: Tensor, there: Tensor | None = None, pose: Tensor | None = None) -> Tensor:
    """An image (3, H, W), enlarged, with boxes (R, 4) outlined and, where given, its joints (17, 3)."""
    drawn = to_pillow(image)
    drawn = drawn.resize((drawn.width * LARGE, drawn.height * LARGE))
    pen = ImageDraw.Draw(drawn)
    colours = position_colours(max(2, len(boxes)), 1)
    width, height = drawn.size
    for index, (left, top, right, bottom) in enumerate(boxes.tolist()):
        if there is None or there[index]:
            corners = [left * width, top * height, max(left, right) * width, max(top, bottom) * height]
            pen.rectangle(corners, outline=css(colours[index]), width=4)
    if pose is not None:
        for x, y, v in pose.tolist():
            if v > 0:
                pen.ellipse(
                    [x * width - 4, y * height - 4, x * width + 4, y * height + 4], fill="#ffffff", outline="#000000"
                )
    return torch.frombuffer(bytearray(drawn.tobytes()), dtype=torch.uint8).view(height, width, 3).permute(2, 0, 1) / 255
