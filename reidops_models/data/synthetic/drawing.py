"""Draws a person in a pose, back to front."""

from __future__ import annotations

from reidops_models.data.synthetic.figure import Figure
from reidops_models.data.synthetic.garments import draw_garment
from reidops_models.data.synthetic.people import Person, shade
from reidops_models.data.synthetic.pose import HEAD_HALF_WIDTH, HEAD_RADIUS, HIP_Y, Pose, Skeleton

__all__ = ["draw_person"]


def draw_person(figure: Figure, person: Person, pose: Pose, skeleton: Skeleton) -> None:
    """Draw the person onto the figure's image."""
    in_profile = abs(pose.sideways) > 0.35
    if person.bag == "backpack" and in_profile and not pose.from_behind:
        _draw_backpack(figure, person, pose)
    _draw_arm(figure, person, skeleton, -pose.near_side, 0.82)
    _draw_leg(figure, person, pose, skeleton, -skeleton.near_leg, 0.8)
    _draw_leg(figure, person, pose, skeleton, skeleton.near_leg, 1.0)
    _draw_hips(figure, person, skeleton)
    draw_garment(figure, person, pose, skeleton)
    _draw_straps(figure, person, pose, skeleton)
    _draw_head(figure, person, pose, skeleton)
    _draw_arm(figure, person, skeleton, pose.near_side, 1.0)
    if person.bag == "handbag" and (abs(pose.facing) > 0.35 or person.bag_side == pose.near_side):
        _draw_handbag(figure, person, pose, skeleton)


def _draw_arm(figure: Figure, person: Person, skeleton: Skeleton, side: int, light: float) -> None:
    upper = {"long": person.upper, "short": person.upper, "raglan": person.second, "none": person.skin}[person.sleeves]
    lower = {"long": person.upper, "short": person.skin, "raglan": person.second, "none": person.skin}[person.sleeves]
    shoulder, elbow, wrist = skeleton.shoulder[side], skeleton.elbow[side], skeleton.wrist[side]
    figure.limb(elbow, wrist, 0.024, 0.019, shade(lower, light))
    figure.limb(shoulder, elbow, 0.031 * person.girth, 0.025, shade(upper, light))
    figure.ellipse(*wrist, 0.021, 0.021, shade(person.skin, light))


def _draw_leg(figure: Figure, person: Person, pose: Pose, skeleton: Skeleton, side: int, light: float) -> None:
    hip, knee, ankle = skeleton.hip[side], skeleton.knee[side], skeleton.ankle[side]
    cloth, skin = shade(person.lower, light), shade(person.skin, light)
    bare = person.legwear in ("shorts", "skirt")
    widths = (0.048, 0.032, 0.021) if person.legwear == "leggings" else (0.052, 0.04, 0.03)
    at_hip, at_knee, at_ankle = (person.girth * width for width in widths)
    figure.limb(knee, ankle, at_knee * (0.8 if bare else 1.0), at_ankle, skin if bare else cloth)
    hem = at_knee * (1.15 if person.legwear == "shorts" else 1.0)
    figure.limb(hip, knee, at_hip, hem, skin if person.legwear == "skirt" else cloth)
    if person.side_stripe and not bare:
        figure.line([hip, knee, ankle], 0.014, person.side_stripe)
    toe = 0.018 * pose.sideways  # a shoe points the way the person walks
    figure.ellipse(ankle[0] + toe, ankle[1] + 0.013, 0.032 + abs(toe), 0.021, shade(person.shoes, light))


def _draw_hips(figure: Figure, person: Person, skeleton: Skeleton) -> None:
    hip = skeleton.hip_half_width
    if person.legwear == "skirt":
        outline = [(-hip, HIP_Y - 0.02), (hip, HIP_Y - 0.02), (1.45 * hip, 0.70), (-1.45 * hip, 0.70)]
    else:
        outline = [(-hip, HIP_Y - 0.03), (hip, HIP_Y - 0.03), (0.95 * hip, HIP_Y + 0.05), (-0.95 * hip, HIP_Y + 0.05)]
    figure.polygon(outline, person.lower)


def _draw_backpack(figure: Figure, person: Person, pose: Pose) -> None:
    x = -0.10 * pose.sideways * person.girth if abs(pose.sideways) > 0.35 else 0.0
    half_width = 0.085 * person.girth * (0.6 + 0.4 * abs(pose.facing))
    figure.box(x, 0.315, half_width, 0.115, person.bag_color, radius=0.03)
    figure.box(x, 0.37, 0.6 * half_width, 0.04, shade(person.bag_color, 0.7))


def _draw_straps(figure: Figure, person: Person, pose: Pose, skeleton: Skeleton) -> None:
    shoulder = skeleton.shoulder_half_width
    if person.bag == "backpack" and pose.from_behind:
        _draw_backpack(figure, person, pose)
    elif person.bag == "backpack" and pose.facing > 0.15:
        for side in (-1, 1):
            figure.line(
                [(0.6 * side * shoulder, 0.17), (0.66 * side * shoulder, 0.36)], 0.022, person.bag_color, least=2
            )
    elif person.bag == "sling":
        side = person.bag_side * (1 if pose.facing > 0 else -1)
        ends = [(-0.6 * side * shoulder, 0.175), (1.1 * side * skeleton.hip_half_width, 0.47)]
        figure.line(ends, 0.02, person.bag_color, least=2)


def _draw_head(figure: Figure, person: Person, pose: Pose, skeleton: Skeleton) -> None:
    (x, y), half_width, radius = skeleton.head, HEAD_HALF_WIDTH, HEAD_RADIUS
    facing, sideways = pose.facing, pose.sideways
    figure.box(x, 0.149, 0.024, 0.029, shade(person.skin, 0.9))
    if person.hair_length == 2:
        end = 0.24 if pose.from_behind else 0.205
        figure.box(x - 0.02 * sideways, (0.03 + end) / 2, 1.12 * half_width, (end - 0.03) / 2, person.hair, radius=0.04)
    figure.ellipse(x, y, 1.08 * half_width, 1.06 * radius, person.hair)
    if not pose.from_behind:
        face = half_width * (0.9 - 0.25 * abs(sideways))
        figure.ellipse(x + 0.28 * half_width * sideways, y + 0.014, face, 0.84 * radius, person.skin)
        if person.hair_length == 1 and facing > 0.1:
            figure.box(x, 0.0415, 0.9 * half_width, 0.0135, person.hair)
    if person.hat:
        left, top = figure.point(x - 1.2 * half_width, 0.008)
        right, bottom = figure.point(x + 1.2 * half_width, 0.105)
        figure.draw.pieslice([left, top, right, bottom], 180, 360, fill=person.hat)
        if not pose.from_behind:
            peak = 0.5 * half_width * sideways
            figure.box(x + peak, 0.058, 1.2 * half_width, 0.006, shade(person.hat, 0.8))


def _draw_handbag(figure: Figure, person: Person, pose: Pose, skeleton: Skeleton) -> None:
    x = 0.135 * person.bag_side * person.girth * pose.facing + 0.2 * skeleton.wrist[pose.near_side][0]
    figure.line([(x, 0.45), (0.7 * x, 0.2)], 0.012, shade(person.bag_color, 0.8))
    figure.box(x, 0.495, 0.055, 0.055, person.bag_color, radius=0.015)
