"""A gallery that lasts, beside what it takes the place of: ``python -m benchmarks.gallery``, in one run.

Indexing is measured against embedding the same drawn pictures into memory, as `reidops match` does. A search of one
partial probe is measured against the same distances from maps that are in memory, against a prepared gallery, and
against the floor, the float32 product X Y' of the pairs. The memory of a search is that of a process that searches
synthetic maps of 16 x 8 x 2048 in float16, beside the same process before the search.

    python -m benchmarks.gallery                              20,000 pictures, maps of 4 GB: some 6 GB of disk
    python -m benchmarks.gallery --pictures 600 --gigabytes 0.5 --keep /tmp/gallery
"""

from __future__ import annotations

import argparse
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import reidops
from benchmarks.features import dense_maps
from benchmarks.memory import status
from reidops_models.checkpoint import load_checkpoint, shipped_checkpoint
from reidops_models.data import list_images, read_image, write_synthetic
from reidops_models.data.synthetic import BenchmarkSize
from reidops_models.gallery import Gallery
from reidops_models.gallery.entries import GalleryEntry
from reidops_models.gallery.facts import Facts
from reidops_models.gallery.features import Layout
from reidops_models.gallery.search import nearest_in, read_blocks
from reidops_models.gallery.store import Store
from reidops_models.matching import BlockMatcher
from reidops_models.retrieval.images import Problems, find_files

CHANNELS, HEIGHT, WIDTH = 2048, 16, 8  # of the synthetic maps
TOP = 10
ROWS = 128  # synthetic maps in a commit


def timed(work: Callable[[], object], repeats: int = 1) -> float:
    """The median of some runs, in seconds."""
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return sorted(found)[len(found) // 2]


def row(name: str, value: float, unit: str, floor: float | None = None) -> None:
    """A line of the table, with the ratio to the group's floor."""
    ratio = "" if floor is None else f"{value / floor:8.2f}"
    print(f"  {name:<58} {value:10.3f} {unit:<4}{ratio}", flush=True)


def indexing(folder: Path, pictures: Path) -> Gallery:
    """Pictures into a gallery, and into memory."""
    checkpoint = load_checkpoint(shipped_checkpoint("dsr"))

    def embed() -> object:
        images = find_files(pictures, Problems())
        return checkpoint.methods().main.embed(image.read() for image in images)

    path = folder / "people.lance"
    shutil.rmtree(path, ignore_errors=True)
    count = len(list_images(pictures))
    print(f"\nindexing {count} drawn pictures, ms a picture; ratios to embedding")
    floor = timed(embed) / count * 1e3
    row("embedded into memory, as `match` does", floor, "ms", floor)
    row("indexed", timed(lambda: Gallery.build(path, pictures, checkpoint)) / count * 1e3, "ms", floor)
    row(
        "indexed again: nothing has changed",
        timed(lambda: Gallery.build(path, pictures, checkpoint)) / count * 1e3,
        "ms",
    )
    return Gallery.open(path, checkpoint)


def searching(gallery: Gallery, probe: Path, repeats: int = 5) -> None:
    """One probe against all pictures."""
    matcher = gallery.matcher()
    assert isinstance(matcher, BlockMatcher)
    (x,) = matcher.embed([read_image(probe)], role="probe")
    maps = torch.cat([block.tensors[0].float() for block in read_blocks(gallery.store)])
    left, right = x.flatten(1).mT, maps.flatten(2).mT.flatten(0, 1).contiguous()
    beta, scales = matcher.beta, matcher.scales
    prepared = reidops.prepare_gallery(maps, beta=beta, scales=scales)
    size = "x".join(map(str, x.shape))
    print(
        f"\none probe of {size} against {len(maps)} maps of {'x'.join(map(str, maps.shape[1:]))}; ratios to the floor"
    )
    floor = timed(lambda: left @ right.mT, repeats)
    row("the float32 product X Y': the floor", floor * 1e3, "ms", floor * 1e3)
    known = timed(lambda: reidops.dsr_topk([x], prepared, TOP), repeats)
    row("reidops.dsr_topk, prepared, all in memory", known * 1e3, "ms", floor * 1e3)
    plain = timed(lambda: reidops.dsr_topk([x], maps, TOP, beta, scales=scales), repeats)
    row("reidops.dsr_topk, maps in memory", plain * 1e3, "ms", floor * 1e3)
    blocks = timed(lambda: nearest_in(matcher, [x], read_blocks(gallery.store), TOP), repeats)
    row("the gallery, from the disk, block by block", blocks * 1e3, "ms", floor * 1e3)
    whole = timed(lambda: gallery.search(probe, top=TOP), repeats)
    row("Gallery.search: the picture read, embedded, and named", whole * 1e3, "ms", floor * 1e3)


def synthetic_store(path: Path, gigabytes: float) -> Store:
    """A gallery of synthetic maps that lie near each other, as a network's do."""
    layout = Layout.of(torch.zeros(CHANNELS, HEIGHT, WIDTH), "float16")
    if path.exists():
        return Store.open(str(path))
    store = Store.create(str(path), Facts("dsr", "DSR", "synthetic", layout))
    count = int(gigabytes * 1e9 / layout.bytes_per_picture)
    maps = dense_maps(ROWS, HEIGHT, WIDTH, CHANNELS, seed=1)
    for start in range(0, count, ROWS):
        numbers = range(start, min(start + ROWS, count))
        entries = [GalleryEntry(n, str(n), str(n), None, None, None, None, (256, 128), "") for n in numbers]
        changed = F.normalize(maps[: len(entries)] + 0.05 * torch.rand(len(entries), CHANNELS, 1, 1), dim=1)
        assert store.commit(store.table(entries, list(changed)))
    return store


def searched(path: Path, probes: int, pipe: multiprocessing.connection.Connection) -> None:
    """In a process of its own: KiB beside those before the search, KiB in all, and seconds."""
    store = Store.open(str(path))
    matcher = BlockMatcher(nn.Conv2d(1, 1, 1), (256, 128))  # maps are given: its network only says where they are
    given: list[Tensor] = list(dense_maps(probes, HEIGHT, WIDTH, CHANNELS, seed=2))
    list(islice(read_blocks(store), 1))  # what Lance and torch take, whatever they do
    before = status("VmRSS")
    seconds = timed(lambda: nearest_in(matcher, given, read_blocks(store), TOP))
    pipe.send((status("VmHWM") - before, status("VmHWM"), seconds))


def memory(folder: Path, gigabytes: float) -> None:
    """The memory of a search, in galleries of one size and of a quarter of it."""
    print(f"\nsearching maps of {HEIGHT} x {WIDTH} x {CHANNELS} in float16: MB beside the process, MB in all, s")
    for size in (gigabytes / 4, gigabytes):
        path = folder / f"maps_{size:g}.lance"
        store = synthetic_store(path, size)
        for probes in (1, 8):
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            process = context.Process(target=searched, args=(path, probes, theirs))
            process.start()
            beside, whole, seconds = ours.recv()
            process.join()
            name = f"{len(store)} maps, {store.bytes / 1e9:.2f} GB, {probes} probe{'s' if probes > 1 else ''}"
            print(f"  {name:<58} {beside * 1024 / 1e6:8.0f} {whole * 1024 / 1e6:8.0f} {seconds:8.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=20_000, help="drawn pictures (default: %(default)s)")
    parser.add_argument("--gigabytes", type=float, default=4.0, help="of synthetic maps (default: %(default)s)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep pictures and maps there, for the next run")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        people = folder / f"people_{options.pictures}"
        if not people.exists():
            size = BenchmarkSize(128, 64, 4, 4, 0, options.pictures // 4 * 4 - 4, 4, 1)
            write_synthetic(people, size, workers=2)
        print(f"{torch.get_num_threads()} threads")
        gallery = indexing(folder, people / "bounding_box_test")
        searching(gallery, list_images(people / "partial_query")[0])
        memory(folder, options.gigabytes)


if __name__ == "__main__":
    main()
