"""`reidops gallery`: what a gallery is, whether it is whole, and how it is kept."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from reidops_models.cli.console import PARTIAL, complain, show_progress

if TYPE_CHECKING:
    from reidops_models.gallery import Gallery

SUMMARY = "look at a gallery made by index, check it, tidy it up"
DESCRIPTION = "Look at galleries, which `reidops index` made, and look after them."
EXAMPLES = """\
examples:
  reidops gallery info people.lance
  reidops gallery check people.lance
  reidops gallery remove people.lance /data/people/0001.jpg
  reidops gallery compact people.lance
  reidops gallery calibrate people.lance calibration.json
"""

INFO = "Print how many images it has, which model and checkpoint made it, and what is kept of an image."
CHECK = """\
Read all of it, and name each file that is damaged or missing, and each image
whose features are not those that were written. The exit code is 1 where there is
one.
"""
REMOVE = """\
Remove images, each named by its id: the absolute path of its file. Their data
stays on the disk, in earlier versions, until the gallery is compacted.
"""
COMPACT = """\
Join small files, erase what was removed or replaced, and forget earlier versions.
Nobody should search an earlier version meanwhile.
"""
CALIBRATE = """\
Keep a calibration with it, so that `reidops search --threshold fpr=0.01` knows
the distance. It must be of the checkpoint and the method of the gallery.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, (does, summary, text) in ACTIONS.items():
        action = actions.add_parser(name, help=summary, description=text)
        action.add_argument("gallery", metavar="GALLERY", help="what `reidops index` made")
        action.set_defaults(does=does)
        if name == "remove":
            action.add_argument("ids", nargs="+", metavar="ID", help="of the images to remove")
        if name == "calibrate":
            action.add_argument("calibration", type=Path, metavar="FILE", help="calibration.json")


def run(options: argparse.Namespace) -> int:
    from reidops_models.gallery import Gallery

    code: int = options.does(options, Gallery.open(options.gallery))
    return code


def show(options: argparse.Namespace, gallery: Gallery) -> int:
    """What it is."""
    for name, value in gallery.describe().items():
        print(f"{name:<16} {value}")
    return 0


def check(options: argparse.Namespace, gallery: Gallery) -> int:
    """Whether it is whole."""
    problems = gallery.check(progress=show_progress())
    for problem in problems:
        complain(problem.message)
    print(f"{gallery.path}: {len(gallery)} images, {'nothing is' if not problems else len(problems)} damaged")
    return PARTIAL if problems else 0


def remove(options: argparse.Namespace, gallery: Gallery) -> int:
    """Without some images."""
    removed = gallery.remove(options.ids)
    print(f"{gallery.path}: {len(gallery)} images ({removed} removed)")
    return 0


def compact(options: argparse.Namespace, gallery: Gallery) -> int:
    """In fewer files."""
    done = gallery.compact()
    freed = f"{done.versions} earlier versions forgotten, {done.bytes_freed / 1e6:.1f} MB freed"
    print(f"{gallery.path}: {done.files} files of {done.files_before}; {freed}")
    return 0


def calibrate(options: argparse.Namespace, gallery: Gallery) -> int:
    """With a calibration."""
    from reidops_models.evaluation import Calibration

    gallery.calibrate(Calibration.load(options.calibration))
    print(f"{gallery.path}: calibrated by {options.calibration}")
    return 0


ACTIONS = {
    "info": (show, "say what it is", INFO),
    "check": (check, "find what is damaged", CHECK),
    "remove": (remove, "remove images", REMOVE),
    "compact": (compact, "tidy it up", COMPACT),
    "calibrate": (calibrate, "keep a calibration with it", CALIBRATE),
}
