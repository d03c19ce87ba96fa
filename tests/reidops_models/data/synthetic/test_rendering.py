from __future__ import annotations

import numpy as np
import pytest

from reidops_models.data.synthetic import KEYPOINTS
from reidops_models.data.synthetic.cameras import sample_cameras
from reidops_models.data.synthetic.people import sample_people
from reidops_models.data.synthetic.rendering import render


@pytest.fixture(scope="module")
def people():
    return sample_people(8, seed=0)


@pytest.fixture(scope="module")
def cameras():
    return sample_cameras(seed=0)


def test_the_seed_decides_the_image(people, cameras):
    pixels, annotation = render(people[0], cameras[0], (1, 2), 64, 32)
    again, same = render(people[0], cameras[0], (1, 2), 64, 32)
    other, _ = render(people[0], cameras[0], (1, 3), 64, 32)
    assert pixels.shape == (64, 32, 3)
    assert pixels.dtype == np.uint8
    assert np.array_equal(pixels, again)
    assert annotation == same
    assert not np.array_equal(pixels, other)


def test_an_occluder_changes_only_what_it_covers(people, cameras):
    for seed in range(12):
        plain, before = render(people[1], cameras[2], (seed,), 128, 64)
        hidden, after = render(people[1], cameras[2], (seed,), 128, 64, occluded=True)
        left, top, right, bottom = after.occluder
        inside = np.zeros((128, 64), bool)
        margin = 4  # the lens blurs the edge
        inside[
            max(0, int(top * 128) - margin) : int(bottom * 128) + margin,
            max(0, int(left * 64) - margin) : int(right * 64) + margin,
        ] = True
        assert np.array_equal(plain[~inside], hidden[~inside])
        assert 0.15 < (plain != hidden).any(-1).mean() < 0.75
        assert before.person == after.person
        for (x, y, v), (u, w, seen) in zip(before.keypoints, after.keypoints, strict=True):
            assert (x, y) == (u, w)
            covered = left <= x <= right and top <= y <= bottom
            assert seen == (min(v, 1) if covered else v)


def test_keypoints_lie_on_the_drawn_person(people, cameras):
    """Two people in the same scene and pose differ only where they are drawn: there the body's joints must be."""
    for seed in range(6):
        twin = type(people[0])(
            **vars(people[0])
            | {
                "upper": (255, 0, 255),
                "second": (255, 0, 255),
                "lower": (255, 0, 255),
                "skin": (0, 255, 0),
                "hair": (0, 255, 0),
                "pattern": "plain",
            }
        )
        a, annotation = render(people[0], cameras[1], (seed,), 128, 64)
        b, _ = render(twin, cameras[1], (seed,), 128, 64)
        drawn = np.abs(a.astype(int) - b).max(-1) > 8
        for name, (x, y, v) in zip(KEYPOINTS, annotation.keypoints, strict=True):
            row, column = int(y * 128), int(x * 64)
            if v and 2 <= row < 126 and 2 <= column < 62:
                assert drawn[row - 2 : row + 3, column - 2 : column + 3].any(), (seed, name)
        rows, columns = np.nonzero(drawn)
        x0, y0, x1, y1 = annotation.person
        assert y0 * 128 - 3 <= rows.min()
        assert rows.max() <= y1 * 128 + 3
        assert abs((x0 + x1) / 2 * 64 - np.median(columns)) < 6


def test_the_person_frame_is_half_as_wide_as_high(people, cameras):
    _, annotation = render(people[0], cameras[0], (0,), 128, 64)
    x0, y0, x1, y1 = annotation.person
    assert (x1 - x0) * 64 == pytest.approx((y1 - y0) * 128 / 2)


def test_a_crop_moves_the_annotation_with_the_image(people, cameras):
    _, whole = render(people[0], cameras[0], (0,), 128, 64)
    part = whole.cropped((0.25, 0.0, 1.0, 0.5))
    assert part.crop == (0.25, 0.0, 1.0, 0.5)
    for (x, y, v), (u, w, seen) in zip(whole.keypoints, part.keypoints, strict=True):
        assert (0.25 + 0.75 * u, 0.5 * w) == pytest.approx((x, y))
        assert seen == (v if 0.25 <= x <= 1 and y <= 0.5 else 0)
    assert part.person[3] == pytest.approx(whole.person[3] * 2)
