"""What is special in the tables of the CSN paper: what is compared with what."""

from __future__ import annotations

import pytest
import torch

from reidops_models.csn import CsnNetwork
from reidops_models.csn.recipe import NetworkOptions
from reidops_models.reproduction import Study
from reidops_models.reproduction.csn import published
from reidops_models.reproduction.csn.complexity import count_operations, count_parameters
from reidops_models.reproduction.csn.experiments import BASE, VARIANTS, CsnRuns
from reidops_models.reproduction.csn.figures import score_maps
from reidops_models.reproduction.csn.tables import TABLES

LEVELS = {"Ours-(L2, L3)": (2, 3), "Ours-(L2, L3, L4)": (2, 3, 4)}


def build(**options: object) -> CsnNetwork:
    return CsnNetwork(NetworkOptions(**options), (160, 60)).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "printed"), [("table3", published.TABLE_3), ("table4", published.TABLE_4)])
def test_every_printed_number_stands_in_its_row(study: Study, name: str, printed: dict[str, tuple[float, ...]]) -> None:
    rows = {row.name: row.published for row in TABLES[name](study).rows}
    assert {row: numbers[published.CUHK03] for row, numbers in rows.items() if numbers} == printed


def test_networks_differ_in_what_the_tables_say(study: Study) -> None:
    runs = CsnRuns(study)
    for name, variant in VARIANTS.items():
        network = runs.network(0, name)
        options = variant.changes.get("network", {})
        assert list(network.levels) == options.get("levels", [2, 3])
        assert network.stripes == options.get("stripes", 3)
        assert (network.similarity[0].localisation is None) is ("localisation" in options)
    assert runs.matcher(0, "cls").ranking == 0
    assert runs.matcher(0, BASE).ranking == 0.2


def test_what_is_kept_is_not_computed_again(study: Study) -> None:
    runs = CsnRuns(study)
    first = runs.matched(0, BASE)
    for other in (runs.classified, runs.by_vectors):
        other(0, BASE)
    path = study.checkpoint(0, BASE).with_name("distances")
    assert {file.stem for file in path.iterdir()} >= {"CSN", "classifier", "vectors"}
    torch.testing.assert_close(study.distances(0, BASE, "CSN", lambda: torch.zeros(0)), first)


def test_figure_4_shows_the_others_parts_on_the_image(study: Study) -> None:
    network: CsnNetwork = CsnRuns(study).network(0, BASE)
    images = torch.rand(2, 3, 80, 32)
    forth, back = score_maps(network, *images), score_maps(network, *images.flip(0))
    assert [tuple(level.shape) for level in forth] == [(3, *size) for size in network.map_sizes]
    described = network.describe(images)
    expected = network.similarity[0].correlate(described.maps[0][:1], described.parts[0][1:]).mean(dim=2)[0]
    torch.testing.assert_close(forth[0], expected, rtol=1e-4, atol=1e-4)
    assert not torch.equal(forth[0], back[0])


@pytest.mark.parametrize("name", LEVELS)
def test_numbers_of_table_5(name: str) -> None:
    """Parameters to the digit that is printed; operations, of which nobody says what counts, within two per cent."""
    network = build(levels=LEVELS[name])
    millions, gflops = published.TABLE_5[name]
    assert round(count_parameters(network) / 1e6, 1) == millions
    assert sum(count_operations(network).values()) / 1e9 == pytest.approx(gflops, rel=0.02)


def test_operations_by_hand() -> None:
    found = count_operations(build())
    trunk = 160 * 60 * 5 * 5 * 3 * 32 + 80 * 30 * 9 * 32 * 96 + 40 * 15 * 9 * 96 * 96
    assert found["trunk"] == 2 * 2 * trunk
    assert found["correlations"] == 2 * 6 * 96 * (40 * 15 * 100 + 20 * 8 * 25)
    assert found["conv4 to conv6"] == 2 * (160 * 1152 * 32 + 160 * 9 * 32 * 32 + 40 * 32 * 500 + 500 * 2)
