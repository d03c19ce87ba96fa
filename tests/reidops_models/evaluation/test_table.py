from __future__ import annotations

import pytest
import torch

from reidops_models.evaluation import bootstrap_interval, evaluate_ranking, format_table

DISTANCES = torch.tensor([[0.1, 0.9, 0.5], [0.8, 0.4, 0.1], [0.3, 0.2, 0.1]])


@pytest.fixture
def results():
    return {
        "Resizing": evaluate_ranking(DISTANCES, [1, 2, 3], [1, 2, 3]),
        "DSR | single": evaluate_ranking(DISTANCES - 10 * torch.eye(3), [1, 2, 3], [1, 2, 3]),
    }


def test_text(results):
    assert format_table(results, ranks=(1, 5), intervals=False).splitlines() == [
        "method           r1     r5    mAP   mINP",
        "Resizing       66.7  100.0   83.3   83.3",
        "DSR | single  100.0  100.0  100.0  100.0",
        "",
        "3 probes of 3 identities; mAP by the step definition.",
    ]


def test_markdown_with_intervals(results):
    lines = format_table(results, ranks=(1,), style="markdown", samples=100, seed=5).splitlines()
    interval = bootstrap_interval(results["Resizing"], "r1", 100, 5)
    assert lines[:2] == ["| method | r1 | mAP | mINP |", "| --- | ---: | ---: | ---: |"]
    assert f"| Resizing | 66.7 [{100 * interval.low:.1f}, {100 * interval.high:.1f}] |" in lines[2]
    assert lines[3].startswith(r"| DSR \| single | 100.0 [100.0, 100.0] |")
    assert lines[-1] == "In brackets: 95 % bootstrap intervals over identities."


def test_what_was_left_out_is_said_for_each_method(results):
    results["odd"] = evaluate_ranking(torch.full((2, 1), float("nan")), [1, 2], [1], average_precision="trapezoid")
    lines = format_table(results, intervals=False).splitlines()
    assert lines[-3] == "Resizing: 3 probes of 3 identities; mAP by the step definition."
    assert lines[-1] == (
        "odd: 2 probes of 2 identities; mAP by the trapezoid definition; "
        "1 probe without a right gallery image, in no mean; 2 pairs without a distance (NaN), ranked last."
    )


def test_no_results():
    assert format_table({}, ranks=(1,)).splitlines()[0] == "method  r1  mAP  mINP"


def test_unknown_style(results):
    with pytest.raises(ValueError, match=r"^format_table: style must be text or markdown, got 'html'"):
        format_table(results, style="html")
