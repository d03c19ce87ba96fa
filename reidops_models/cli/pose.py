"""`reidops pose`: the joints of a folder's images, for training MGRe."""

from __future__ import annotations

import argparse
from pathlib import Path

from reidops_models.cli.arguments import add_device_argument, add_workers_argument
from reidops_models.cli.console import PARTIAL, CommandError, complain, show_progress
from reidops_models.files import replacing

SUMMARY = "body joints of a folder's images (needs the extra 'pose')"
DESCRIPTION = """\
Estimate the 17 COCO joints of the person in each image of a folder, and of
the folders in it, and write them as a COCO keypoints file. MGRe learns from
them where body regions are; matching needs none.

Needs a pose package: pip install 'reidops[pose]'. Its weights are loaded from
the network the first time, or given by --weights.
"""
EXAMPLES = """\
examples:
  reidops pose --images Market-1501-v15.09.15/bounding_box_train
  reidops pose --images people/ --out people/keypoints.json --weights rtmpose-m.onnx

The file belongs into the data set's folder, where training looks for it. The
exit code is 1 where an image cannot be read.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--images", type=Path, required=True, metavar="DIR", help="images, one person each")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: keypoints.json beside the folder of images")
    parser.add_argument("--weights", metavar="FILE_OR_URL", help="of RTMPose, ONNX (default: RTMPose-m, downloaded)")
    add_device_argument(parser, what="auto, cpu or cuda (default: auto, a GPU where ONNX Runtime sees one)")
    add_workers_argument(parser)


def run(options: argparse.Namespace) -> int:
    from reidops_models.data import KEYPOINTS_FILE, save_keypoints
    from reidops_models.data.pose_estimation import WEIGHTS, PoseEstimator
    from reidops_models.retrieval.images import Problems, find_files
    from reidops_models.retrieval.reading import read_each

    estimate = PoseEstimator(options.weights or WEIGHTS, options.device)
    problems = Problems(report=lambda problem: complain(problem.message), remark=complain)
    images = find_files(options.images, problems)
    if not images:
        raise CommandError(f"{options.images}: not one image in it can be read")
    out: Path = options.out or options.images.resolve().parent / KEYPOINTS_FILE
    base = out.resolve().parent
    joints, sizes = {}, {}
    for image, pixels in read_each(images, problems, workers=options.workers, progress=show_progress()):
        path = Path(str(image)).resolve()
        name = path.relative_to(base).as_posix() if path.is_relative_to(base) else path.name
        joints[name], sizes[name] = estimate(pixels), image.size
    if not joints:
        raise CommandError(f"{options.images}: not one image in it can be read")
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as unfinished:
        save_keypoints(unfinished, joints, sizes)
    unseen = sum(not pose[:, 2].any() for pose in joints.values())
    print(f"written: {out} ({len(joints)} images, {unseen} of them without a joint)")
    return PARTIAL if problems else 0
