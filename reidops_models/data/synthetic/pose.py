"""How a person stands before the camera: a walking pose, its joints, and the COCO-17 keypoints they give.

Coordinates are those of the person frame: y runs from 0 at the crown to 1 at the soles, x from the body's axis to the
image's right in the same unit. A *side* is +1 for the person's left and -1 for the right. At yaw 0 the person walks
towards the camera, at +90 degrees to the image's right; so left is at x = +cos(yaw), and further away than the axis
by sin(yaw).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from reidops_models.data.synthetic.people import Person

__all__ = [
    "SIDES",
    "Pose",
    "Skeleton",
    "find_keypoints",
    "find_skeleton",
    "sample_pose",
    "torso_half_width",
]

SIDES = (1, -1)
HEAD_Y, HEAD_RADIUS, HEAD_HALF_WIDTH = 0.083, 0.062, 0.048
SHOULDER_Y, HIP_Y = 0.207, 0.5

Point = tuple[float, float]


@dataclass(frozen=True)
class Pose:
    """Direction of view and phase of the walk, in radians; `lean` tilts the upright body."""

    yaw: float
    phase: float
    stride: float
    lean: float

    @property
    def facing(self) -> float:
        """1 towards the camera, -1 away from it."""
        return math.cos(self.yaw)

    @property
    def sideways(self) -> float:
        """1 towards the image's right, -1 towards its left."""
        return math.sin(self.yaw)

    @property
    def from_behind(self) -> bool:
        return self.facing < -0.15

    @property
    def near_side(self) -> int:
        """The side, left +1 or right -1, that is closer to the camera."""
        return -1 if self.sideways > 0 else 1


@dataclass(frozen=True)
class Skeleton:
    """Joints of the upright body (before `lean`), each by side where there are two."""

    head: Point
    shoulder: dict[int, Point]
    elbow: dict[int, Point]
    wrist: dict[int, Point]
    hip: dict[int, Point]
    knee: dict[int, Point]
    ankle: dict[int, Point]
    near_leg: int  # the leg whose knee is closer to the camera
    shoulder_half_width: float
    hip_half_width: float


def sample_pose(rng: np.random.Generator, camera_yaw: float) -> Pose:
    """Most people walk the camera's way, 30 % of them the opposite way."""
    turn = math.pi if rng.random() < 0.3 else 0.0
    return Pose(
        yaw=camera_yaw + rng.normal(0, 0.5) + turn,
        phase=rng.uniform(0, 2 * math.pi),
        stride=rng.uniform(0.15, 0.55),
        lean=rng.normal(0, 0.012),
    )


def find_skeleton(person: Person, pose: Pose) -> Skeleton:
    """The joints of a person in a pose."""
    facing, sideways = pose.facing, pose.sideways
    shoulder_half_width = 0.118 * person.girth * (0.55 + 0.45 * abs(facing))
    across = facing if abs(facing) > 0.3 else math.copysign(0.15, facing)  # shoulders never fall into one line
    shoulder, elbow, wrist, hip, knee, ankle = {}, {}, {}, {}, {}, {}
    for side in SIDES:
        # Legs swing against each other, and arms against the legs; a knee bends while its leg comes forward.
        swing = pose.stride * math.sin(pose.phase) * side
        bend = 0.9 * pose.stride * max(0.0, math.cos(pose.phase) * side)
        hip[side] = (0.045 * side * person.girth * facing, HIP_Y)
        knee[side] = (hip[side][0] + 0.235 * math.sin(swing) * sideways, HIP_Y + 0.235 * math.cos(swing))
        ankle[side] = (
            knee[side][0] + 0.225 * math.sin(swing - bend) * sideways,
            min(knee[side][1] + 0.225 * math.cos(swing - 0.8 * bend), 0.965),
        )
        arm, outward = 0.05 - 1.1 * swing, 0.03 * side * facing
        shoulder[side] = (0.92 * side * shoulder_half_width * across, SHOULDER_Y)
        elbow[side] = (
            shoulder[side][0] + 0.165 * math.sin(arm) * sideways + outward,
            shoulder[side][1] + 0.165 * math.cos(arm),
        )
        wrist[side] = (
            elbow[side][0] + 0.15 * math.sin(arm + 0.35 * pose.stride) * sideways + 0.4 * outward,
            elbow[side][1] + 0.15 * math.cos(arm + 0.3),
        )
    # Towards the camera: a leg put forward counts by `facing`, its side by `sideways`.
    depth = {
        s: 0.235 * s * pose.stride * math.sin(pose.phase) * facing - 0.045 * s * person.girth * sideways for s in SIDES
    }
    return Skeleton(
        head=(0.02 * sideways, HEAD_Y),
        shoulder=shoulder,
        elbow=elbow,
        wrist=wrist,
        hip=hip,
        knee=knee,
        ankle=ankle,
        near_leg=max(SIDES, key=lambda side: depth[side]),
        shoulder_half_width=shoulder_half_width,
        hip_half_width=0.088 * person.girth * (0.62 + 0.38 * abs(facing)),
    )


def torso_half_width(skeleton: Skeleton, y: float) -> float:
    """Half the torso's width at a height."""
    widths = [0.55 * skeleton.shoulder_half_width, skeleton.shoulder_half_width, 1.08 * skeleton.hip_half_width]
    return float(np.interp(y, [0.165, 0.2, 0.42], widths))


def find_keypoints(skeleton: Skeleton, pose: Pose) -> list[tuple[float, float, int]]:
    """COCO-17 keypoints (x, y, v) in the person frame, in the order of :data:`KEYPOINTS`.

    v is 2 for a point that is seen and 1 for one that the person's own body hides. The face is a point set on the
    head's circle, seen where the circle faces the camera. Of the far side, an arm's joints are hidden inside the
    torso's outline, a leg's behind the near leg, and shoulder and hip when the person is seen in profile.
    """
    points: list[tuple[float, float, int]] = []
    head_x = skeleton.head[0]
    # angles from the nose towards the person's left, and heights, of nose, eyes and ears
    for angle, y in ((0.0, 0.095), (0.45, 0.078), (-0.45, 0.078), (1.5, 0.085), (-1.5, 0.085)):
        x = head_x + HEAD_HALF_WIDTH * math.sin(pose.yaw + angle)
        points.append((x, y, 2 if math.cos(pose.yaw + angle) > 0 else 1))
    in_profile = abs(pose.facing) < 0.3
    for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        joints: dict[int, Point] = getattr(skeleton, name)
        for side in SIDES:
            x, y = joints[side]
            if name in ("shoulder", "hip"):
                hidden = in_profile and side != pose.near_side
            elif name in ("elbow", "wrist"):
                hidden = side != pose.near_side and y < HIP_Y and abs(x) < torso_half_width(skeleton, y)
            else:
                hidden = side != skeleton.near_leg and _behind_near_leg(skeleton, x, y)
            points.append((x, y, 1 if hidden else 2))
    return [(x + pose.lean * (1 - y), y, v) for x, y, v in points]


def _behind_near_leg(skeleton: Skeleton, x: float, y: float) -> bool:
    near = skeleton.near_leg
    hip, knee, ankle = skeleton.hip[near], skeleton.knee[near], skeleton.ankle[near]
    axis = float(np.interp(y, [hip[1], knee[1], ankle[1]], [hip[0], knee[0], ankle[0]]))
    return abs(x - axis) < 0.03
