"""What galleries of 10^6, 10^8 and 10^9 pictures cost: ``python -m benchmarks.scale DATA``, the tables of docs/scale.

DATA is a folder with a data set that has partial probes; where there is none, one of 1,960 pictures is drawn. Costs are
measured here: seconds of the processor, on one thread, so other work on the machine changes them little. The plans are
arithmetic on these. What is said of GPUs is arithmetic on `benchmarks.devices`, because no GPU has run this. A
simulation of the merge, with as many shards as `--shards`, shows what is left to the process that hears all of them.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

import reidops
from benchmarks.devices import DEVICES, MINUTE, Device
from benchmarks.features import dense_maps
from reidops_models import Gallery
from reidops_models.backbones import build_backbone
from reidops_models.data import load_dataset, read_image, write_synthetic
from reidops_models.data.synthetic import BenchmarkSize
from reidops_models.distributed.searching import merge_answers
from reidops_models.evaluation.protocol import Protocol
from reidops_models.gallery import Nearest, merge_nearest
from reidops_models.gallery.search import nearest_in, read_blocks
from reidops_models.retrieval.images import sample_images
from reidops_models.retrieval.model import find_model

SIZES = (10**6, 10**8, 10**9)
PROCESSORS, MEMORY = 32, 128e9  # of a machine in the plans: processors, and bytes for a part of the gallery
DAY = 86400.0
WAIT = 10.0  # seconds for which a probe may be compared with all
SCALES = (1, 2, 3)
PROBES = 32  # compared together
TOP = 100
MARKET = 3368 * 19732  # pairs of Market-1501
DRAWN = BenchmarkSize(128, 64, 4, 60, 4, 1900, 2, 4)
GPU = "H100 SXM"
SHARE = 1 / 3  # of a GPU's peak that networks are taken to reach


class Cost(NamedTuple):
    """Of one network and its maps.

    Attributes:
        name: of the network.
        shape: (C, h, w) of its maps.
        embed: seconds of one thread for a picture.
        pair: for a pair of maps, all scales.
        vectors: for a pair of averages.
        stored: bytes of a picture in the gallery.
        operations: of the network for a picture.
    """

    name: str
    shape: tuple[int, int, int]
    embed: float
    pair: float
    vectors: float
    stored: float
    operations: float

    @property
    def title(self) -> str:
        return f"{self.name}, {'x'.join(map(str, self.shape))}"

    def on(self, device: Device) -> tuple[float, float]:
        """Seconds of a GPU for a picture, and for a pair: by columns, from the minute aimed at for Market-1501."""
        columns = sum((self.shape[1] - scale) * (self.shape[2] - scale) for scale in range(len(SCALES)))
        return self.operations / (device.float32 * 1e12 * SHARE), MINUTE / MARKET * columns / 128


def seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """The least of some runs."""
    found = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def operations(network: torch.nn.Module, picture: torch.Tensor) -> float:
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(picture)
    return float(counter.get_total_flops())


def slim(files: Sequence[Path]) -> tuple[Cost, float]:
    """The shipped model on drawn pictures, and the bytes that adding holds for each picture that is there."""
    with tempfile.TemporaryDirectory() as folder:
        gallery = Gallery.build(Path(folder) / "people.lance", (), "dsr")
        embed = seconds(lambda: gallery.add(list(files)), repeats=1) / len(files)
        stored = sum(file.stat().st_size for file in Path(folder).rglob("*.lance") if file.is_file()) / len(files)
        matcher = gallery.matcher()
        probes = matcher.embed([read_image(file)[:, :96] for file in files[:PROBES]], role="probe")
        pair = seconds(lambda: nearest_in(matcher, probes, read_blocks(gallery.store), TOP)) / PROBES / len(files)
        quick = find_model("dsr").methods().quick
        assert quick is not None
        sides = [quick.embed([read_image(file) for file in files[:count]]) for count in (PROBES, len(files))]
        vectors = seconds(lambda: quick.distances(*sides)) / PROBES / len(files)
        tracemalloc.start()
        known = gallery.store.known()
        held = tracemalloc.get_traced_memory()[0] / len(known)
        tracemalloc.stop()
    backbone: Any = find_model("dsr").network.backbone
    picture = torch.rand(1, 3, 128, 64)
    shape = tuple(backbone(picture).shape[1:])
    done = operations(backbone, picture)
    return Cost("slim", shape, embed, pair, vectors, stored, done), held


def resnet() -> Cost:
    """ResNet-50 with a stride of 16 on 256 x 128, weights as initialised; its time does not depend on them."""
    network = build_backbone("resnet50", last_stride=1).eval()
    pictures = torch.rand(4, 3, 256, 128)
    with torch.inference_mode():
        channels, height, width = network(pictures[:1]).shape[1:]
        embed = seconds(lambda: network(pictures), repeats=2) / len(pictures)
    probes, maps = (dense_maps(count, height, width, channels, seed=count) for count in (8, 24))
    pair = seconds(lambda: reidops.dsr_distance(probes, maps, 0.4, scales=SCALES), repeats=2) / 8 / 24
    sides = [torch.rand(count, channels) for count in (PROBES, 4096)]
    vectors = seconds(lambda: sides[0] @ sides[1].mT) / PROBES / 4096
    stored = 2.0 * channels * (height * width + 1)
    done = operations(network, pictures[:1])
    return Cost("ResNet-50", (channels, height, width), embed, pair, vectors, stored, done)


def kept_by_shortlists(data: Path, most: int) -> tuple[list[int], np.ndarray]:
    """Sizes of shortlists, as shares of the gallery, and the share of right pictures that each keeps.

    The first stage is the map's average, the order is that of all pictures. With as many pictures more of the same kind
    a right one falls behind as many times more of them, so what is kept depends on the share, not on the length.
    """
    dataset = load_dataset(data)
    probes = sample_images(dataset.probes("partial_query")[:most], dataset.root)
    gallery = sample_images(dataset.gallery, dataset.root)
    quick = find_model("dsr").methods([image.size for image in gallery]).quick
    assert quick is not None
    left, right = (
        quick.embed((image.read() for image in side), role=role)  # type: ignore[arg-type]
        for side, role in ((probes, "probe"), (gallery, "gallery"))
    )
    order = quick.distances(left, right).argsort(dim=1, stable=True).numpy()
    protocol = Protocol("scale", [image.pid or 0 for image in gallery], [image.camid or 0 for image in gallery])
    places = []
    for row, image in zip(order, probes, strict=True):
        own = protocol.own_images(image.pid or 0, image.camid or 0)
        ranks = np.empty(len(row), np.int64)
        ranks[row] = np.arange(len(row))
        places += [rank - (ranks[own.removed] < rank).sum() for rank in ranks[own.right]]
    lengths = [max(1, len(gallery) // part) for part in (1000, 300, 100, 30, 10, 3)]
    shares = np.array([(np.array(places) < length).mean() for length in lengths])
    print(f"shortlists: {len(probes)} partial probes, {len(gallery)} pictures, {len(places)} right ones\n")
    cells = zip(lengths, shares, strict=True)
    rows = [(str(one), f"{100 * one / len(gallery):.2f} %", f"{100 * share:.1f} %") for one, share in cells]
    show(("length", "of the gallery", "right pictures kept"), rows)
    return [len(gallery) // length for length in lengths], shares


def merging(shards: int, pair: float) -> None:
    """Lists of the best from all shards, merged as `ShardedGallery` does."""
    generator = torch.Generator().manual_seed(0)
    lists = []
    for shard in range(shards):
        distances = torch.rand(PROBES, TOP, generator=generator).sort(dim=1).values
        numbers = torch.arange(TOP).expand(PROBES, TOP) + shard * TOP
        lists.append(Nearest(distances, numbers, torch.ones(PROBES, dtype=torch.bool)))

    took = seconds(lambda: merge_answers(lists, TOP))
    same = all(map(torch.equal, merge_answers(lists, TOP), merge_nearest(lists, TOP)))
    size = sum(tensor.nbytes for tensor in lists[0])
    print(f"merge: {shards} shards, {PROBES} probes, the nearest {TOP} of each")
    print(f"{1e3 * took:.0f} ms in all, {1e6 * took / shards:.0f} us per list; the same as one sort: {same}")
    print(f"{shards * size / 1e6:.0f} MB come in, {size / 1e3:.0f} KB from each shard")
    rows = []
    for count in SIZES:
        work = count / shards * PROBES * pair
        times = (duration(work), duration(took), f"{100 * took / work:.2g} %")
        rows.append((f"{count:.0e}", f"{count // shards:,}", *times))
    print()
    show(("pictures", "of each shard", "a shard works", "the driver merges", "its share"), rows)


def plans(costs: Sequence[Cost], held: float, device: Device, parts: Sequence[int], kept: np.ndarray) -> None:
    """Machines, hours and bytes."""
    peak, aim = (1e6 * value / MARKET for value in (device.product_of_halves, MINUTE))
    print(f"{device.name}, by arithmetic: a single-scale pair of 2048x16x8 takes {peak:.3f} us at the peak of the")
    print(f"matrix units, and {aim:.2f} us where Market-1501 takes the minute aimed at;")
    print(f"networks are taken to reach {SHARE:.2f} of the peak in float32.")
    for cost in costs:
        network, gpu = cost.on(device)
        print(f"\n{cost.title}\n")
        rows: list[tuple[str, ...]] = []
        for count in SIZES:
            index, against = count * cost.embed, count * cost.pair
            rows.append(
                (
                    f"{count:.0e}",
                    amount(count * cost.stored),
                    machines(count * cost.stored / MEMORY),
                    f"{duration(index)} of a core: {machines(index / DAY / PROCESSORS)} for a day",
                    f"{duration(count * network)}: {machines(count * network / DAY, 'GPU')} for a day",
                    amount(count * held),
                    f"{duration(against)} of a core: {machines(against / WAIT / PROCESSORS)} for {WAIT:.0f} s",
                    f"{duration(count * gpu)}: {machines(count * gpu / WAIT, 'GPU')} for {WAIT:.0f} s",
                )
            )
        names = ("pictures", "gallery", "hold it", "index", "by GPU", "adding holds", "a probe against all", "by GPU")
        show(names, rows)
        rows = []
        for count in SIZES:
            for part, share in ((parts[place], kept[place]) for place in (0, 3)):
                length = count // part
                rows.append(
                    (
                        f"{count:.0e}",
                        f"{length:,}",
                        f"{100 * share:.0f} %",
                        f"{duration(count * cost.vectors)} of a core",
                        f"{duration(length * cost.pair)} of a core",
                        f"{duration(length * gpu)} of a GPU",
                    )
                )
        show(("pictures", "shortlist", "right ones kept", "first stage", "second stage", "by GPU"), rows)


def show(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table of a page."""
    print(f"| {' | '.join(header)} |\n|{' --- |' * len(header)}")
    print("\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n")


def machines(needed: float, kind: str = "machine") -> str:
    count = max(1, int(-(-needed // 1)))
    return f"{count:,} {kind}{'s' if count > 1 else ''}"


def duration(value: float) -> str:
    for size, unit in ((365 * DAY, "years"), (DAY, "days"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{1e6 * value:.3g} us"


def amount(value: float) -> str:
    for size, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e3:.3g} KB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--pictures", type=int, default=256, help="to index")
    parser.add_argument("--probes", type=int, default=600)
    parser.add_argument("--shards", type=int, default=1000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.data.exists():
        write_synthetic(options.data, DRAWN, seed=3)
    dataset = load_dataset(options.data)
    small, held = slim([sample.path for sample in dataset.gallery[: options.pictures]])
    costs = [small, resnet()]
    rows = []
    for cost in costs:
        times = [duration(value) for value in (cost.embed, cost.pair, cost.vectors)]
        rows.append((cost.title, f"{cost.operations / 1e9:.2f}e9", *times, amount(cost.stored)))
    show(("network and maps", "operations", "a picture", "a pair of maps", "a pair of vectors", "stored"), rows)
    print(f"adding holds {held:.0f} bytes for each picture that is there\n")
    parts, kept = kept_by_shortlists(options.data, options.probes)
    merging(options.shards, small.pair)
    plans(costs, held, next(device for device in DEVICES if device.name == GPU), parts, kept)


if __name__ == "__main__":
    main()
