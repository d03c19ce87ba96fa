"""A search that nobody waits for any more ends at the gallery's next block, and probabilities follow a calibration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Event

import pytest
import torch

from reidops_models import Calibration, Gallery, load_checkpoint
from reidops_models.checkpoint import shipped_checkpoint
from reidops_models.gallery import search as gallery_search
from reidops_models.serve import People
from reidops_models.serve.people import stoppable
from reidops_models.serve.queue import SearchStoppedError

MANY = 10**6


@pytest.mark.parametrize("paper", ["csn", "dpti", "dsr", "mgre", "stnreid"])
def test_the_matcher_of_every_paper_can_be_stopped(paper: str) -> None:
    matcher = load_checkpoint(shipped_checkpoint(paper)).methods().main
    stop = Event()
    same = stoppable(matcher, stop)
    assert type(same) is type(matcher)
    images = torch.rand(2, 3, 64, 32, generator=torch.Generator().manual_seed(0))
    probes, gallery = matcher.embed(images[:1], role="probe"), matcher.embed(images)
    assert torch.equal(same.distances(probes, gallery), matcher.distances(probes, gallery))
    stop.set()
    with pytest.raises(SearchStoppedError):
        same.distances(probes, gallery)
    assert matcher.distances(probes, gallery).shape == (1, 2)  # stays as it was


def test_a_search_stops_at_the_next_block(own: Path, probe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gallery_search, "BLOCK_MEMORY", 1)  # one picture at a time
    stop = Event()
    compared = []

    def nearest(distances: torch.Tensor, numbers: torch.Tensor, k: int) -> object:
        compared.append(numbers.tolist())
        if len(compared) == 2:
            stop.set()
        return real(distances, numbers, k)

    real = gallery_search.nearest_of
    monkeypatch.setattr(gallery_search, "nearest_of", nearest)
    people = People(Gallery.open(own))
    with pytest.raises(SearchStoppedError):
        people.search(probe.read_bytes(), MANY, 4, False, stop)
    assert compared == [[0], [1]]
    assert len(people.search(probe.read_bytes(), MANY, 4, False, Event()).matches) == 4


def test_a_calibration_gives_probabilities_where_it_holds(own: Path, probe: Path) -> None:
    def probabilities(people: People) -> Sequence[float | None]:
        answer = people.search(probe.read_bytes(), MANY, 2, False, Event())
        return [match.probability for match in answer.matches]

    gallery = Gallery.open(own)
    people = People(gallery)
    assert probabilities(people) == [None, None]
    distances = [match.distance for match in gallery.search(probe, top=2)[0].matches]
    calibration = Calibration(
        method=gallery.facts.method,
        checkpoint=gallery.facts.identity,
        options={"beta": 0.4},
        data="drawn people",
        people=2,
        right_pairs=2,
        wrong_pairs=2,
        thresholds=((0.5, 0.3),),
        curve=((distances[0], 0.9), (distances[1], 0.2)),
    )
    Gallery.open(own).calibrate(calibration)  # by somebody else, while it is served
    assert probabilities(people) == pytest.approx([0.9, 0.2])
    assert probabilities(People(Gallery.open(own), options={"beta": 0.3})) == [None, None]
