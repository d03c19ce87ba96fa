"""The paper's tables, end to end on a benchmark in which numbers mean nothing: what is compared with what."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reidops_models.cli import main
from reidops_models.reproduction import Study
from reidops_models.reproduction.csn import published
from reidops_models.reproduction.csn.experiments import BASE, NETWORKS, Experiments
from reidops_models.reproduction.csn.figures import score_maps
from reidops_models.reproduction.csn.tables import TABLES


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return Study(tmp_path_factory.mktemp("study"), (0,), "tiny", say=lambda _: None)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_can_be_made(study: Study, name: str, tmp_path: Path) -> None:
    table = TABLES[name](study)
    assert table.name == name
    assert all(path.stat().st_size for path in table.write(tmp_path))
    for row in table.rows:
        assert len(row.results) == len(study.seeds)
        assert row.pooled.valid.all()
        assert all(len(numbers) == len(table.metrics) for numbers in row.published.values())
    names = [row.name for row in table.rows]
    assert len(set(names)) == len(names)
    assert {claim.better for claim in table.claims} | {claim.worse for claim in table.claims} <= set(names)


@pytest.mark.parametrize(("name", "printed"), [("table3", published.TABLE_3), ("table4", published.TABLE_4)])
def test_every_printed_number_stands_in_its_row(study: Study, name: str, printed: dict[str, tuple[float, ...]]) -> None:
    rows = {row.name: row.published for row in TABLES[name](study).rows}
    assert {row: numbers[published.CUHK03] for row, numbers in rows.items() if numbers} == printed


def test_networks_differ_in_what_the_tables_say(study: Study) -> None:
    runs = Experiments(study)
    for label, changes in NETWORKS.items():
        network = runs.network(0, label)
        options = changes.get("network", {})
        assert list(network.levels) == options.get("levels", [2, 3])
        assert network.stripes == options.get("stripes", 3)
        assert (network.similarity[0].localisation is None) is ("localisation" in options)
    assert runs.matcher(0, "cls").ranking == 0
    assert runs.matcher(0, BASE).ranking == 0.2


def test_what_is_kept_is_not_computed_again(study: Study) -> None:
    first = Experiments(study).distances(0, BASE)
    path = study.checkpoint(0, BASE).with_name("distances")
    assert {file.stem for file in path.iterdir()} >= {"CSN", "classifier", "vectors"}
    torch.testing.assert_close(study.distances(0, BASE, "CSN", lambda: torch.zeros(0)), first)


def test_figure_4_shows_the_others_parts_on_the_image(study: Study) -> None:
    network = Experiments(study).network(0, BASE)
    images = torch.rand(2, 3, 80, 32)
    forth, back = score_maps(network, *images), score_maps(network, *images.flip(0))
    assert [tuple(level.shape) for level in forth] == [(3, *size) for size in network.map_sizes]
    described = network.describe(images)
    expected = network.similarity[0].correlate(described.maps[0][:1], described.parts[0][1:]).mean(dim=2)[0]
    torch.testing.assert_close(forth[0], expected, rtol=1e-4, atol=1e-4)
    assert not torch.equal(forth[0], back[0])


def test_the_command_makes_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce", "csn", "--table", "table5", "--out", str(tmp_path)]) == 0
    assert "0.943" in capsys.readouterr().out
    assert (tmp_path / "table5.json").is_file()
