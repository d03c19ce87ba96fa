"""What a data set on disk is, and whether all of it is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PIL import Image

from reidops_models.data.dataset import ReidDataset, Sample
from reidops_models.data.market1501 import MARKET1501_FOLDER
from reidops_models.data.synthetic.annotations import read_header
from reidops_models.data.synthetic.benchmark import BenchmarkSize

__all__ = ["MARKET1501_COUNTS", "PARTIAL_COUNTS", "describe"]

MARKET1501_COUNTS = {"train": 12_936, "query": 3_368, "gallery": 15_913, "junk": 3_819}
"""Images of Market-1501 as published; `bounding_box_test` holds gallery and junk, 19,732 files."""

PARTIAL_COUNTS = {
    "partial-reid": {"query": 300, "partial_query": 300, "occluded_query": 300, "gallery": 300},
    "partial-ilids": {"query": 119, "gallery": 119},
}
"""Images of the partial sets: 60 people x 5 of each kind, and 119 people with one of each."""

PICTURES = {
    "dukemtmc-reid": {"train": 16_522, "query": 2_228, "gallery": 17_661},
    "occluded-duke": {"train": 15_618, "query": 2_210, "gallery": 17_661},
    "msmt17": {"train": 32_621, "query": 11_659, "gallery": 82_161},
    "occluded-reid": {"query": 1_000, "gallery": 1_000},
}
"""Images of other sets, as published."""


def describe(dataset: ReidDataset) -> str:
    """Which layout was found, what it holds, and whether the counts are as published or as drawn.

    Example:
        >>> from pathlib import Path
        >>> from reidops_models.data import ReidDataset, Sample
        >>> mine = [Sample(Path(f"query/000{pid}_c1s1_000001_00.jpg"), pid, camid=1) for pid in (1, 2)]
        >>> print(describe(ReidDataset("market1501", Path("mine"), [], mine[1:], mine)))
        market1501: mine
          variant: own data in Market-1501 layout
          train: 0 images
          query: 1 image, 1 identity, 1 camera
          gallery: 2 images, 2 identities, 1 camera
    """
    lines = [f"{dataset.name}: {dataset.root}", *(f"  {line}" for line in _examine(dataset))]
    splits = {"train": dataset.train, **{name: dataset.probes(name) for name in dataset.probe_sets}}
    lines += [f"  {name}: {_summary(samples)}" for name, samples in {**splits, "gallery": dataset.gallery}.items()]
    distractors = sum(sample.pid == dataset.distractor for sample in dataset.gallery)
    if distractors:
        kind = _count(distractors, "distractor", "distractors")
        lines.append(f"  of the gallery, {kind} (identity {dataset.distractor})")
    if dataset.junk:
        lines.append(f"  left out of the gallery: {_count(dataset.junk, 'junk file', 'junk files')} (identity -1)")
    if dataset.validation:
        lines += [f"  {line}" for line in describe(dataset.validation).splitlines()]
    return "\n".join(lines)


def _examine(dataset: ReidDataset) -> list[str]:
    """The variant, and a line for each count that is not as it should be."""
    counts = {name: len(dataset.probes(name)) for name in dataset.probe_sets}
    counts |= {"train": len(dataset.train), "gallery": len(dataset.gallery), "junk": dataset.junk}
    if dataset.name in PARTIAL_COUNTS:
        return _examine_partial(dataset, counts)
    if dataset.name in PICTURES:
        return [f"variant: {dataset.variant}", *_differences(counts, PICTURES[dataset.name], "published")]
    if dataset.people:
        return [f"variant: {dataset.variant}", *_examine_people(dataset)]
    if dataset.variant:
        return [f"variant: {dataset.variant}"]
    header = read_header(dataset.root)
    if header:
        plan = BenchmarkSize(**header["plan"]).counts(validation=header["split"] == "validation")
        variant = f"drawn people, size {header['size']}, seed {header['seed']}, {header['split']} split"
        return [f"variant: {variant}", *_differences(counts, plan, "drawn")]
    wrong = _differences(counts, MARKET1501_COUNTS, "published")
    if not wrong:
        return ["variant: Market-1501 (v15.09.15), all counts as published"]
    if len(wrong) == 1 and not dataset.junk:
        return ["variant: Market-1501 (v15.09.15) without its junk files; all other counts as published"]
    if MARKET1501_FOLDER in (dataset.root.name, dataset.root.resolve().name) or len(wrong) < len(MARKET1501_COUNTS) - 1:
        return ["variant: Market-1501 (v15.09.15), with other counts than published", *wrong]
    return ["variant: own data in Market-1501 layout"]


def _examine_partial(dataset: ReidDataset, counts: Mapping[str, int]) -> list[str]:
    expected = {name: count for name, count in PARTIAL_COUNTS[dataset.name].items() if name in counts}
    lines = [f"variant: {dataset.variant}", *_differences(counts, expected, "published")]
    if dataset.name == "partial-ilids":
        # Two versions of its images are in circulation; their sizes tell which one a result rests on.
        sizes = " and ".join(
            f"{name} {_sizes(s)}" for name, s in (("query", dataset.query), ("gallery", dataset.gallery))
        )
        lines.append(f"images of two versions exist; these have, height x width: {sizes}")
    elif len(dataset.extra_probes) < 2:
        lines.append(f"not there: {'occluded' if 'partial_query' in dataset.extra_probes else 'partial'} images")
    return lines


def _examine_people(dataset: ReidDataset) -> list[str]:
    """A line for each split that has other identities than it should."""
    splits = {"train": dataset.train, "query": dataset.query, "gallery": dataset.gallery}
    found = {name: len({sample.pid for sample in samples}) for name, samples in splits.items()}
    return [
        f"wrong: {name} has {found[name]} people, published {count}"
        for name, count in dataset.people.items()
        if found[name] != count
    ]


def _sizes(samples: Sequence[Sample]) -> str:
    """The smallest and the largest image, from the files' headers alone."""
    found = set()
    for sample in samples:
        try:
            with Image.open(sample.path) as image:
                found.add((image.height, image.width))
        except OSError:
            continue  # reading it says what is wrong
    if not found:
        return "unreadable"
    return " to ".join(f"{height}x{width}" for height, width in dict.fromkeys((min(found), max(found))))


def _differences(counts: Mapping[str, int], expected: Mapping[str, int], source: str) -> list[str]:
    different = (name for name in expected if counts.get(name, 0) != expected[name])
    return [f"wrong: {name} has {counts.get(name, 0)}, {source} {expected[name]}" for name in different]


def _summary(samples: Sequence[Sample]) -> str:
    if not samples:
        return "0 images"
    identities = _count(len({sample.pid for sample in samples}), "identity", "identities")
    cameras = _count(len({sample.camid for sample in samples if sample.camid >= 0}), "camera", "cameras")
    return f"{_count(len(samples), 'image', 'images')}, {identities}, {cameras}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
