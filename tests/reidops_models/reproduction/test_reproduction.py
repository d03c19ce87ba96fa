"""Studies do nothing twice, tables say what they rest on, and claims get the verdict their interval gives."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reidops_models.checkpoint import Checkpoint
from reidops_models.evaluation import evaluate_ranking, evaluate_verification
from reidops_models.reproduction import Claim, Row, Study, Table, judge


def ranking(right: list[int], people: int = 10):
    """A ranking in which the people listed are found at rank 1, and nobody else."""
    distances = torch.ones(people, people)
    for pid in range(people):
        distances[pid, pid if pid in right else (pid + 1) % people] = 0
    return evaluate_ranking(distances, range(people), range(people))


def test_verdicts_follow_the_interval() -> None:
    results = {"all": ranking(list(range(10))), "none": ranking([]), "one": ranking([3])}
    better = judge(Claim("all", "none"), results)
    assert (better.verdict, better.difference.value, better.difference.low) == ("holds", 1.0, 1.0)
    assert judge(Claim("none", "all"), results).verdict == "does not hold"
    assert judge(Claim("one", "none"), results).verdict == "cannot be told at this size"
    assert judge(Claim("all", "all"), results).verdict == "cannot be told at this size"


def test_a_table_sets_ours_beside_the_papers(tmp_path: Path) -> None:
    distances = torch.rand(10, 10, generator=torch.Generator().manual_seed(0))
    verified = evaluate_verification(distances, range(10), range(10))
    rows = [
        Row("good", [ranking(list(range(10))), ranking(list(range(8)))], [verified] * 2, {"paper": (50.0, 60.0)}),
        Row("bad", [ranking([]), ranking([1])]),
    ]
    claims = [Claim("good", "bad"), Claim("bad", "good", "mAP", published=False)]
    table = Table("trial", "A trial", rows, ("r1", "r10"), claims=claims, notes=["A note."])
    text = table.markdown()
    assert "| good | **90.0** [75, 100] |" in text
    assert "| 100.0 80.0 | 50.0 60.0 |" in text
    assert "| bad | **5.0** [0, 15] |" in text
    assert "| 0.0 10.0 | – |" in text
    line = next(line for line in text.splitlines() if line.startswith("| good > bad (r1) | +85.0 [+"))
    assert line.endswith("| **holds** |")
    assert text.index("claim of the paper") < text.index("question of ours")
    assert text.rstrip().endswith("- A note.")

    written = table.write(tmp_path)
    assert [path.name for path in written] == ["trial.md", "trial.json", "trial-cmc.png", "trial-roc.png"]
    assert all(path.stat().st_size for path in written)
    values = json.loads(written[1].read_text())
    assert values["rows"][0]["r1"]["value"] == 0.9
    assert values["rows"][0]["published"] == {"paper": [50.0, 60.0]}
    assert [one["verdict"] for one in values["claims"]] == ["holds", "does not hold"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study")


def test_nothing_is_done_twice(folder: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        study = Study(folder, (4,), "tiny", say=said.append)
        first = study.trained(4, "network", "dsr/demo")
        again = study.distances(4, "network", "some key/with a slash", lambda: torch.tensor([[1.5, 2.0]]))
        assert again.tolist() == [[1.5, 2.0]]
    assert [line.split(" (")[0] for line in said] == [
        "seed 4: training network",
        "seed 4: drawing people",
        "seed 4: trained network",
        "seed 4, network: some key/with a slash",
    ]
    assert first.recipe.training.seed == 4

    # Another recipe is another network: neither it nor its distances are what was kept.
    changed = Study(folder, (4,), "tiny", say=said.append)
    changed.trained(4, "network", "dsr/demo", {"optimizer": {"lr": 1e-3}})
    assert said[-1].startswith("seed 4: trained network")
    assert changed.distances(4, "network", "some key/with a slash", lambda: torch.zeros(1, 1)).tolist() == [[0.0]]


def test_the_single_shot_gallery_has_everybody_once(folder: Path) -> None:
    search = Study(folder, (4,), "tiny", say=lambda _: None).search(4, "partial_query")
    assert len(search.gallery) == 3 * len(search.first_of_each)
    assert np.array_equal(search.gallery_pids[search.first_of_each], np.unique(search.gallery_pids))
    assert set(search.probe_pids) <= set(search.gallery_pids)


def test_fine_tuning_starts_from_the_network_of_its_seed(folder: Path) -> None:
    said: list[str] = []
    study = Study(folder, (4,), "tiny", say=said.append)

    def start(seed: int) -> Path:
        study.trained(seed, "start", "dsr/demo")
        return study.checkpoint(seed, "start")

    tuned = study.trained(4, "tuned", "dsr/demo_finetune", {"fine_tuning": {"gradient": "implicit"}}, start=start)
    assert tuned.recipe.fine_tuning.gradient == "implicit"
    assert [line.split(" (")[0] for line in said if "trained" in line] == [
        "seed 4: trained start",
        "seed 4: trained tuned",
    ]
    # Where it started from has changed: so has it.
    weights = study.checkpoint(4, "start")
    study.trained(4, "other", "dsr/demo", {"optimizer": {"lr": 1e-4}})
    weights.write_bytes(study.checkpoint(4, "other").read_bytes())
    again = Study(folder, (4,), "tiny", say=said.append)
    again.trained(4, "tuned", "dsr/demo_finetune", {"fine_tuning": {"gradient": "implicit"}}, start=lambda _: weights)
    assert said[-1].startswith("seed 4: trained tuned")


def test_a_network_made_from_others_follows_them(folder: Path) -> None:
    study = Study(folder, (4,), "tiny", say=lambda _: None)
    source = study.trained(4, "network", "dsr/demo")
    made: list[str] = []

    def build() -> Checkpoint:
        made.append("made")
        return replace(source, notes={"made": len(made)})

    for _ in range(2):
        again = Study(folder, (4,), "tiny", say=lambda _: None)
        paths = [study.checkpoint(4, "network")]
        assert again.derived(4, "derived", paths, build).notes == {"made": 1}
    again.distances(4, "derived", "key", lambda: torch.ones(1, 1))
    paths[0].write_bytes(paths[0].read_bytes() + b" ")
    last = Study(folder, (4,), "tiny", say=lambda _: None)
    assert last.derived(4, "derived", paths, build).notes == {"made": 2}
    assert last.distances(4, "derived", "key", lambda: torch.zeros(1, 1)).item() == 0  # those of the old one are gone
