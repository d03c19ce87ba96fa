"""Takes an image: one person before one camera."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reidops_models.data.synthetic.annotations import Annotation
from reidops_models.data.synthetic.cameras import Camera, draw_background, expose
from reidops_models.data.synthetic.drawing import draw_person
from reidops_models.data.synthetic.figure import Figure
from reidops_models.data.synthetic.occlusion import draw_occluder
from reidops_models.data.synthetic.people import Person
from reidops_models.data.synthetic.pose import find_keypoints, find_skeleton, sample_pose

__all__ = ["render"]

_SUPERSAMPLING = 2


def render(
    person: Person, camera: Camera, seed: Sequence[int], height: int, width: int, occluded: bool = False
) -> tuple[np.ndarray, Annotation]:
    """An image of a person and what is known about it.

    Args:
        person, camera: who, and where.
        seed: numbers that decide pose, place, clutter and noise.
        height, width: of the image, in pixels.
        occluded: put an object before the person. All else stays as it is without.

    Returns:
        The image, uint8 (height, width, 3), and its annotation.
    """
    # Three streams, so that the object changes nothing else in the image.
    scene_rng, occluder_rng, sensor_rng = (np.random.default_rng([*seed, stream]) for stream in range(3))
    tall, wide = height * _SUPERSAMPLING, width * _SUPERSAMPLING
    scene = draw_background(scene_rng, camera, tall, wide)
    scale = 0.9 * tall * person.height * (1 + scene_rng.normal(0, 0.035))
    center = wide * (0.5 + scene_rng.normal(0, 0.045))
    top = (tall - scale) * (0.5 + scene_rng.normal(0, 0.3))
    pose = sample_pose(scene_rng, camera.yaw)
    skeleton = find_skeleton(person, pose)
    draw_person(Figure(scene, center, top, scale, pose.lean), person, pose, skeleton)
    points = [((center + x * scale) / wide, (top + y * scale) / tall, v) for x, y, v in find_keypoints(skeleton, pose)]
    annotation = Annotation(
        person=((center - scale / 4) / wide, top / tall, (center + scale / 4) / wide, (top + scale) / tall),
        keypoints=tuple((x, y, v if 0 <= x <= 1 and 0 <= y <= 1 else 0) for x, y, v in points),
    )
    if occluded:
        annotation = annotation.occluded(draw_occluder(occluder_rng, scene))
    return expose(sensor_rng, camera, scene, height, width), annotation
