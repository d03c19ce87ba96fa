"""`reidops index`: put pictures into a gallery that lasts."""

from __future__ import annotations

import argparse
from pathlib import Path

from reidops_models.cli.arguments import (
    add_checkpoint_arguments,
    add_ray_argument,
    add_workers_argument,
    gpus_of_workers,
    load_chosen,
    load_named,
)
from reidops_models.cli.console import PARTIAL, complain, show_progress

SUMMARY = "put images into a gallery that lasts"
DESCRIPTION = """\
Embed the images of folders, and of the folders in them, and keep what is needed
to search for people in them. Run it again to go on after an interruption, or
when images have been added or changed: an image is known by its path, and one
whose size and time of modification are the same is not even opened. Several
processes may index into one gallery at once.
"""
EXAMPLES = """\
examples:
  reidops index people/ --out people.lance
  reidops index cam1/ cam2/ --out people.lance --checkpoint runs/demo/model
  reidops index people/ --out exact.lance --dtype float32
  reidops index people/ --out s3://bucket/people.lance
  reidops index people/ --out people.lance --ray 10.0.0.1:6379

--out is a Lance dataset. What is done stays, commit by commit, whatever stops
the command. The exit code is 1 where an image cannot be read: it is named and
left out. With --ray all machines must see the images and the gallery under the
same paths.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="+", type=Path, metavar="FILE_OR_DIR", help="images to put into the gallery")
    parser.add_argument("--out", required=True, metavar="GALLERY", help="gallery, new or one to go on with")
    add_checkpoint_arguments(parser)
    add_workers_argument(parser)
    parser.add_argument(
        "--dtype",
        choices=["float16", "float32"],
        default="float16",
        help="in which features are kept, where the gallery is new (default: %(default)s)",
    )
    add_ray_argument(parser)


def run(options: argparse.Namespace) -> int:
    from reidops_models.gallery import Gallery, NoGalleryError
    from reidops_models.retrieval.images import Problems

    problems = Problems(report=lambda problem: complain(problem.message), remark=complain)
    gpus = None
    if options.ray is not None:
        gpus, options.device = gpus_of_workers(options.device), "cpu"
    try:
        gallery = Gallery.open(options.out, load_named(options), device=options.device)
    except NoGalleryError:
        gallery = Gallery.build(options.out, (), load_chosen(options), dtype=options.dtype)
    sources = options.images[0] if len(options.images) == 1 else options.images
    if options.ray is None:
        added = gallery.add(sources, problems=problems, workers=options.workers, progress=show_progress())
    else:
        from reidops_models.distributed import add_pictures, connected

        with connected(options.ray):
            added = add_pictures(gallery, sources, gpus=gpus, problems=problems, progress=show_progress())
    done = f"{added.new} new, {added.updated} changed, {added.unchanged} as they were"
    left_out = f", {len(problems)} left out" if problems else ""
    print(f"{options.out}: {len(gallery)} images ({done}{left_out})")
    return PARTIAL if problems else 0
