"""The tables of every paper, end to end on a benchmark in which numbers mean nothing."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from reidops_models.cli import main
from reidops_models.reproduction import Study, tables_of
from reidops_models.reproduction.discovery import GROUP

PAPERS = sorted(entry_points(group=GROUP).names)


@pytest.mark.parametrize(("paper", "name"), [(paper, name) for paper in PAPERS for name in tables_of(paper)])
def test_every_table_can_be_made(study: Study, paper: str, name: str, tmp_path: Path) -> None:
    table = tables_of(paper)[name](study)
    assert table.name == name
    assert all(path.stat().st_size for path in table.write(tmp_path))
    for row in table.rows:
        assert len(row.results) == len(study.seeds)
        assert row.pooled.valid.all()
        assert all(len(numbers) == len(table.metrics) for numbers in row.published.values())
        assert all(0 <= number <= 100 for numbers in row.published.values() for number in numbers)
    names = [row.name for row in table.rows]
    assert len(set(names)) == len(names)
    assert {claim.better for claim in table.claims} | {claim.worse for claim in table.claims} <= set(names)


@pytest.mark.parametrize(
    ("paper", "name", "printed", "files"),
    [
        ("csn", "table5", "0.943", ["table5.json", "table5.md"]),
        ("dpti", "figure3", "figure3-attention.png", ["figure3-attention.png", "figure3.json", "figure3.md"]),
        ("dsr", "figure9", "1x1 + 2x2", ["figure9-cmc.png", "figure9.json", "figure9.md"]),
        ("mgre", "table8", "7.93", ["table8.json", "table8.md"]),
        ("stnreid", "table2", "STN module of", ["table2-figure4.png", "table2.json", "table2.md"]),
    ],
)
def test_the_command_makes_a_table_from_what_the_study_has(
    study: Study, paper: str, name: str, printed: str, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--seeds", "0", "--size", "tiny", "--out", str(study.folder)]
    assert main(["reproduce", paper, "--table", name, *out]) == 0
    shown = capsys.readouterr().out
    assert printed in shown
    assert "these numbers mean nothing" in shown
    found = sorted(path for path in study.folder.glob(f"{name}*"))
    assert [path.name for path in found] == files
    assert all(path.stat().st_size for path in found)


def test_the_command_names_what_is_wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["reproduce", "dsr", "--table", "table9", "--out", str(tmp_path)]) == 2
    assert "--table: unknown 'table9'; dsr has table1, table2" in capsys.readouterr().err
    assert main(["reproduce", "dsrr", "--table", "all"]) == 2
    assert "unknown paper 'dsrr'; known: csn, dpti, dsr" in capsys.readouterr().err
    assert main(["reproduce", "dsr", "--table", "all", "--seeds", "1,1", "--out", str(tmp_path)]) == 2
    assert "--seeds: expected different numbers, got 1,1" in capsys.readouterr().err


def test_a_paper_without_tables_is_named() -> None:
    with pytest.raises(KeyError, match="toy: there are no tables to reproduce; papers with tables: csn, dpti, dsr"):
        tables_of("toy")
