from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reidops_models.data.synthetic import KEYPOINTS
from reidops_models.data.synthetic.people import GROUP_SIZE, sample_people
from reidops_models.data.synthetic.pose import Pose, find_keypoints, find_skeleton, sample_pose


def keypoints(person, yaw, phase=0.0, stride=0.3, lean=0.0):
    pose = Pose(yaw, phase, stride, lean)
    return dict(zip(KEYPOINTS, find_keypoints(find_skeleton(person, pose), pose), strict=True))


@pytest.fixture(scope="module")
def person():
    return sample_people(4, seed=0)[0]


def test_groups_share_the_coarse_looks_and_differ_in_the_fine_ones():
    people = sample_people(40, seed=3)
    for start in range(0, 40, GROUP_SIZE):
        group = people[start : start + GROUP_SIZE]
        assert len({(p.legwear, p.hair_length, p.coat) for p in group}) == 1
        assert np.ptp([p.upper for p in group], axis=0).max() < 70
        assert len({(p.pattern, p.second, p.sleeves, p.skin, p.shoes, p.bag) for p in group}) == GROUP_SIZE
    assert all(np.abs(np.subtract(p.second, p.upper)).sum() >= 120 for p in people)


def test_more_people_leave_the_first_as_they_are():
    assert sample_people(40, seed=1)[:8] == sample_people(8, seed=1)
    assert sample_people(8, seed=1) != sample_people(8, seed=2)


@pytest.mark.parametrize("count", [0, 6, -4])
def test_groups_are_whole(count):
    with pytest.raises(ValueError, match=f"count must be a positive multiple of 4, got {count}"):
        sample_people(count, seed=0)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_body_hangs_together(seed):
    rng = np.random.default_rng(seed)
    person = sample_people(4, seed)[0]
    pose = sample_pose(rng, rng.uniform(0, 6.28))
    points = find_keypoints(find_skeleton(person, pose), pose)
    assert len(points) == 17
    assert all(v in (1, 2) and 0 < y < 1 and abs(x) < 0.45 for x, y, v in points)
    by_name = dict(zip(KEYPOINTS, points, strict=True))
    for side in ("left", "right"):
        joints = [by_name[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")]
        bones = [
            math.dist(a[:2], b[:2]) for a, b in ((joints[0], joints[1]), (joints[1], joints[2]), (joints[3], joints[4]))
        ]
        assert all(bone < 0.3 for bone in bones)
        assert joints[3][1] < joints[4][1] < joints[5][1]
    assert by_name["nose"][1] < by_name["left_shoulder"][1] < by_name["left_hip"][1]


def test_left_is_on_the_images_right_when_facing_the_camera(person):
    front, back = keypoints(person, 0.0), keypoints(person, math.pi)
    for name in ("eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        assert front[f"left_{name}"][0] > front[f"right_{name}"][0]
        assert back[f"left_{name}"][0] < back[f"right_{name}"][0]


def test_the_face_is_seen_from_the_front_only(person):
    front, back = keypoints(person, 0.0), keypoints(person, math.pi)
    assert [front[name][2] for name in ("nose", "left_eye", "right_eye")] == [2, 2, 2]
    assert [back[name][2] for name in ("nose", "left_eye", "right_eye")] == [1, 1, 1]


def test_the_far_side_is_hidden_in_profile(person):
    # Walking to the image's right the left side is far; legs together, so the near one covers the far one.
    right = keypoints(person, math.pi / 2, stride=0.0)
    assert right["nose"][0] > 0
    for name in ("eye", "shoulder", "elbow", "hip", "knee", "ankle"):
        assert (name, right[f"right_{name}"][2]) == (name, 2)
    for name in ("ear", "shoulder", "hip", "knee", "ankle"):
        assert (name, right[f"left_{name}"][2]) == (name, 1)


def test_lean_moves_the_head_and_not_the_soles(person):
    straight, leaning = keypoints(person, 0.0), keypoints(person, 0.0, lean=0.1)
    assert leaning["nose"][0] - straight["nose"][0] == pytest.approx(0.1 * (1 - straight["nose"][1]))
    assert leaning["left_ankle"][0] - straight["left_ankle"][0] < 0.01
