"""Writes the benchmark: drawn people in Market-1501 layout, with partial and occluded probes."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from reidops_models.data.keypoints import KEYPOINTS_FILE
from reidops_models.data.synthetic.annotations import FORMAT, Annotation, read_header, save_annotations, write_keypoints
from reidops_models.data.synthetic.cameras import CAMERAS, Camera, sample_cameras
from reidops_models.data.synthetic.occlusion import sample_crop
from reidops_models.data.synthetic.people import GROUP_SIZE, Person, sample_people
from reidops_models.data.synthetic.rendering import render

__all__ = ["SIZES", "BenchmarkSize", "write_synthetic"]

_CAMERAS_PER_PERSON = 4
_JPEG_QUALITY = 92


@dataclass(frozen=True)
class BenchmarkSize:
    """How many people and images.

    Numbers of people are multiples of the size of a look-alike group, so that no group is cut in two. A training
    identity has `train_images` images from four cameras. A test or validation identity has `gallery_images` gallery
    images from one camera and `probe_images` probes from three others, each also cut to a partial probe and drawn
    again behind an object. Distractors are one gallery image each of people who are in no probe. Strangers, as many
    again to validate as to test, have probes and no gallery image: a search should say that it does not know them.

    Raises:
        ValueError: a number of people that is no such multiple, or no gallery image.
    """

    height: int
    width: int
    train_people: int
    test_people: int
    validation_people: int
    distractors: int
    train_images: int
    probe_images: int
    gallery_images: int = 1
    strangers: int = 0

    def __post_init__(self) -> None:
        for name in ("train_people", "test_people", "validation_people", "distractors", "strangers"):
            if getattr(self, name) % GROUP_SIZE:
                raise ValueError(f"BenchmarkSize: {name} must be a multiple of {GROUP_SIZE}, got {getattr(self, name)}")
        if self.gallery_images < 1:
            raise ValueError(f"BenchmarkSize: gallery_images must be at least 1, got {self.gallery_images}")

    def counts(self, validation: bool = False) -> dict[str, int]:
        """How many images there are to train on, as probes of each kind, and in the gallery."""
        people = self.validation_people if validation else self.test_people
        probes = (people + self.strangers) * self.probe_images
        return {
            "train": 0 if validation else self.train_people * self.train_images,
            "query": probes,
            "partial_query": probes,
            "occluded_query": probes,
            "gallery": people * self.gallery_images + (0 if validation else self.distractors),
        }


SIZES = {
    name: BenchmarkSize(*numbers)
    # height, width; people to train on, to test, to validate; distractors; training images and probes of a person
    for name, numbers in {
        "tiny": (64, 32, 8, 8, 4, 4, 4, 3),
        "small": (128, 64, 152, 60, 40, 0, 12, 6),
        "medium": (256, 128, 304, 120, 60, 200, 12, 6),
    }.items()
}
"""`tiny` for tests, `small` for the demo, `medium` for longer experiments."""


@dataclass(frozen=True)
class _Job:
    """One person's images: everything a worker process needs to draw and write them."""

    root: Path
    size: BenchmarkSize
    seed: int
    number: int  # of the person, from 0, over all splits
    pid: int
    split: str
    person: Person
    cameras: tuple[Camera, ...]


def write_synthetic(
    root: str | os.PathLike[str],
    size: str | BenchmarkSize = "small",
    seed: int = 0,
    *,
    strangers: int | None = None,
    workers: int | None = None,
    progress: bool = False,
) -> Path:
    """Draw a benchmark and write it in Market-1501 layout.

    It holds `bounding_box_train`, `query`, `bounding_box_test`, `partial_query` (the query images, 20 to 60 % cut off
    a random side), `occluded_query` (the same, behind an object), `validation` (the same folders but the first, of
    other people), and in both `annotations.json` (see `Annotation`) and `keypoints.json` (the joints in COCO's
    format). No identity is in two splits and no look-alike group either; an identity's gallery image and its probes
    come from different cameras.

    The seed decides everything; the number of workers changes nothing. The folder appears when it is complete. If it
    holds this very benchmark already, nothing is drawn.

    Args:
        root: the folder to write; missing, empty, or holding this benchmark.
        size: "tiny", "small", "medium", or a `BenchmarkSize` of your own.
        seed: a non-negative number.
        strangers: people who have probes and no gallery image, in place of the size's, which are none.
        workers: processes that draw; as many as there are CPUs if None.
        progress: show a progress bar (needs tqdm).

    Returns:
        `root` as a path.

    Raises:
        ValueError: an unknown size or a negative seed.
        FileExistsError: `root` holds something else.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     root = write_synthetic(Path(folder, "people"), "tiny", workers=1)
        ...     sorted(path.name for path in (root / "query").iterdir())[0]
        '0009_c2s1_000001_00.jpg'
    """
    if isinstance(size, str) and size not in SIZES:
        raise ValueError(f"write_synthetic: size must be one of {', '.join(SIZES)}, got {size!r}")
    if strangers is not None and (strangers < 0 or strangers % GROUP_SIZE):
        raise ValueError(f"write_synthetic: strangers must be a multiple of {GROUP_SIZE}, got {strangers}")
    if seed < 0:
        raise ValueError(f"write_synthetic: seed must not be negative, got {seed}")
    label, plan = (size, SIZES[size]) if isinstance(size, str) else ("custom", size)
    if strangers is not None:
        plan = replace(plan, strangers=strangers)
    root = Path(root)
    header = {"format": FORMAT, "size": label, "seed": seed, "plan": asdict(plan)}
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        if _is_this_benchmark(root, header):
            for folder in (root, root / "validation"):
                if not (folder / KEYPOINTS_FILE).is_file():  # drawn before there was such a file
                    write_keypoints(folder)
            return root
        raise FileExistsError(
            f"{root}: holds something other than this benchmark (size {label}, seed {seed}); choose another folder"
        )
    unfinished = root.absolute().with_name(f".{root.absolute().name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    _write(unfinished, plan, seed, header, workers, progress)
    unfinished.rename(root)  # a rename, so that a folder that is there is complete
    return root


def _is_this_benchmark(root: Path, header: dict[str, object]) -> bool:
    found = read_header(root)
    if found is None:
        return False
    # A benchmark from before there was a choice has one gallery image a person, and no strangers.
    found["plan"] = {"gallery_images": 1, "strangers": 0} | found["plan"]
    return found == header | {"split": "test"}


def _write(
    root: Path, plan: BenchmarkSize, seed: int, header: dict[str, object], workers: int | None, progress: bool
) -> None:
    for split in (root, root / "validation"):
        for folder in ("query", "bounding_box_test", "partial_query", "occluded_query"):
            (split / folder).mkdir(parents=True)
    (root / "bounding_box_train").mkdir()
    annotations: dict[str, dict[str, Annotation]] = {"": {}, "validation": {}}
    jobs = list(_jobs(root, plan, seed))
    for job, drawn in zip(jobs, _with_progress(_run(jobs, workers), len(jobs), progress), strict=True):
        annotations["validation" if job.split.startswith("validation") else ""].update(drawn)
    for name, images in annotations.items():
        save_annotations(root / name, header | {"split": name or "test"}, images)
        write_keypoints(root / name)


def _jobs(root: Path, plan: BenchmarkSize, seed: int) -> Iterator[_Job]:
    cameras = tuple(sample_cameras(seed))
    splits = ["train"] * plan.train_people + ["test"] * plan.test_people
    splits += ["validation"] * plan.validation_people + ["distractor"] * plan.distractors
    # Last, so that the others are the same people however many strangers there are.
    splits += ["stranger"] * plan.strangers + ["validation stranger"] * plan.strangers
    for number, (split, person) in enumerate(zip(splits, sample_people(len(splits), seed), strict=True)):
        folder = root / "validation" if split.startswith("validation") else root
        pid = 0 if split == "distractor" else number + 1
        yield _Job(folder, plan, seed, number, pid, split, person, cameras)


def _run(jobs: list[_Job], workers: int | None) -> Iterator[dict[str, Annotation]]:
    workers = workers or len(os.sched_getaffinity(0))
    if workers == 1:
        yield from map(_draw, jobs)
        return
    # fork, as torch's DataLoader does: workers only draw, and need not import torch a second time
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork")) as pool:
        yield from pool.map(_draw, jobs, chunksize=4)


def _with_progress(
    drawn: Iterable[dict[str, Annotation]], total: int, progress: bool
) -> Iterable[dict[str, Annotation]]:
    if not progress:
        return drawn
    from tqdm.auto import tqdm

    return tqdm(drawn, "drawing people", total, unit="person")


def _draw(job: _Job) -> dict[str, Annotation]:
    """Draw and write one person's images."""
    rng = np.random.default_rng([job.seed, job.number, 5])
    own_cameras = rng.permutation(CAMERAS)[:_CAMERAS_PER_PERSON].tolist()
    drawn: dict[str, Annotation] = {}

    def save(folder: str, camera: int, index: int, pixels: np.ndarray, annotation: Annotation) -> None:
        # A distractor's identity is 0 for all, so the frame number has to tell people apart.
        frame = index if job.pid else job.number
        name = f"{folder}/{job.pid:04d}_c{camera + 1}s1_{frame:06d}_00.jpg"
        Image.fromarray(pixels).save(job.root / name, quality=_JPEG_QUALITY)
        drawn[name] = annotation

    def take(camera: int, index: int, occluded: bool = False) -> tuple[np.ndarray, Annotation]:
        seed = (job.seed, job.number, index, 77)
        return render(job.person, job.cameras[camera], seed, job.size.height, job.size.width, occluded)

    if job.split == "train":
        for index in range(job.size.train_images):
            camera = own_cameras[index % _CAMERAS_PER_PERSON]
            save("bounding_box_train", camera, index, *take(camera, index))
        return drawn
    known = not job.split.endswith("stranger")
    if known:
        save("bounding_box_test", own_cameras[0], 0, *take(own_cameras[0], 0))
    # Numbered after the probes, so that these are the same images however many there are in the gallery.
    for index in range(1, job.size.gallery_images if job.pid and known else 1):
        number = job.size.probe_images + index
        save("bounding_box_test", own_cameras[0], number, *take(own_cameras[0], number))
    for index in range(1, 1 + job.size.probe_images * (job.split != "distractor")):
        camera = own_cameras[1 + (index - 1) % (_CAMERAS_PER_PERSON - 1)]
        pixels, annotation = take(camera, index)
        save("query", camera, index, pixels, annotation)
        save("partial_query", camera, index, *_crop(rng, pixels, annotation))
        save("occluded_query", camera, index, *take(camera, index, occluded=True))
    return drawn


def _crop(rng: np.random.Generator, pixels: np.ndarray, annotation: Annotation) -> tuple[np.ndarray, Annotation]:
    height, width = pixels.shape[:2]
    left, top, right, bottom = sample_crop(rng, height, width)
    box = (left / width, top / height, right / width, bottom / height)
    return pixels[top:bottom, left:right], annotation.cropped(box)
