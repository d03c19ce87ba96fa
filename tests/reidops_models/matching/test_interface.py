"""The scale of probes."""

from __future__ import annotations

from reidops_models.matching import probe_scale


def test_probes_take_the_gallerys_scale() -> None:
    assert probe_scale([(128, 64)] * 3, (128, 64)) == 1.0
    assert probe_scale([(256, 99), (512, 10), (128, 64)], (128, 64)) == 0.5
    assert probe_scale([], (128, 64)) == 1.0
