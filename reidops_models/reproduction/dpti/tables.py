"""The tables and figures of the DPTI paper in miniature: `reidops reproduce dpti --table NAME`.

A slim ResNet of bottlenecks and drawn people stand for ResNet-50 and for Market-1501, Occluded-REID and Partial-REID.
Absolute numbers mean nothing beside the paper's; what can be compared is which variant is better, and whether that is
beyond chance.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np

from reidops_models.evaluation import markdown_table
from reidops_models.reproduction import Claim, Row, Study, Table
from reidops_models.reproduction.dpti import published
from reidops_models.reproduction.dpti.experiments import PROBE_SETS, DptiRuns
from reidops_models.reproduction.dpti.figures import draw_figure3

SETTING = (
    "Ours: drawn people, images of 128x64, a slim ResNet, d = 64, 30 epochs; in brackets 95 % bootstrap intervals over "
    "the people of all seeds. The gallery shows everybody three times, by a camera that took none of the probes."
)
ROWS_OF_TABLE_5 = {
    "ResNet-50": "G + D + W",
    "ResNet-50 with IBN": "ResNet-50 with IBN",
    "OSNet": "OSNet",
    "ResNet-18": "ResNet-18",
}
SHARES = (0.0, 0.1, 0.25, 0.5, 1.0)  # of a part's attention that an object covers: edges of the rows

CLAIMS_OF_TABLE_4 = (
    *(Claim(f"G + D, {probes}", f"{name}, {probes}") for probes in PROBE_SETS for name in ("G", "G + P", "G + T")),
    *(Claim(f"G, {probes}", f"G + P, {probes}") for probes in ("holistic", "partial")),
    Claim("G + P, occluded", "G, occluded"),
    *(Claim(f"G + T, {probes}", f"G, {probes}") for probes in ("holistic", "occluded")),
    Claim("G + T, holistic", "G + D, holistic", "mAP"),
    *(Claim(f"G + D + W, {probes}", f"G + D, {probes}", published=False) for probes in PROBE_SETS),
)
CLAIMS_OF_TABLE_5 = (
    *(Claim("ResNet-50", "ResNet-18", metric) for metric in ("r1", "mAP")),
    *(Claim("ResNet-50 with IBN", "ResNet-50", metric) for metric in ("r1", "mAP")),
    Claim("ResNet-50", "OSNet", "r1"),
    Claim("OSNet", "ResNet-50", "mAP"),
)


def table4(study: Study) -> Table:
    """Table 4: what templates are made of, and their weighting, on three kinds of probes."""
    runs = DptiRuns(study)
    rows = []
    for probes, probe_set in PROBE_SETS.items():
        for variant, printed in published.TABLE_4.items():
            results = runs.ranked(partial(runs.matched, variant=variant, probes=probes), probe_set=probe_set)
            rows.append(Row(f"{variant}, {probes}", results, published={published.PAPER: printed[probes]}))
    return Table(
        "table4",
        "Templates and their weighting (table 4)",
        rows,
        metrics=("r1", "r5", "mAP", "mINP"),
        claims=CLAIMS_OF_TABLE_4,
        notes=[
            SETTING,
            "G: the global descriptor alone. P: a grid's averages are the templates. T: learnt ones, the same for "
            "every image. D: dynamic ones, eq. 5 and 6. W: weighted by eq. 8.",
            "The paper's probes are Market-1501 (holistic), Occluded-REID and Partial-REID. It says of W that it makes "
            "no significant difference.",
            "One network a variant serves all three; half of its training images are cropped.",
        ],
    )


def table5(study: Study) -> Table:
    """Table 5: backbones, on holistic probes."""
    runs = DptiRuns(study)
    rows = []
    for name, variant in ROWS_OF_TABLE_5.items():
        results = runs.ranked(partial(runs.matched, variant=variant, probes="holistic"))
        rows.append(Row(name, results, published={published.PAPER: published.TABLE_5[name]}))
    return Table(
        "table5",
        "Backbones (table 5)",
        rows,
        metrics=("r1", "r5", "r10", "mAP", "mINP"),
        claims=CLAIMS_OF_TABLE_5,
        notes=[
            SETTING,
            "Slim ones, from random weights: bottlenecks for ResNet-50, one a stage, without IBN-a and with it; basic "
            "blocks for ResNet-18, one a stage; OSNet of a quarter of the width. All with W, as the paper's ResNet-50.",
        ],
    )


def figure3(study: Study) -> Table:
    """Figure 3: where each template looks."""
    return Table(
        "figure3",
        "Attention of the template initialization (figure 3)",
        text="A row a picture, a column a template: people in the open, and behind an object.",
        notes=["softmax of eq. 6, over the maps of stage 3; each map has its own scale of colours. The first seed."],
        figures={"attention": partial(draw_figure3, DptiRuns(study), "G + D")},
    )


def presence(study: Study) -> Table:
    """Does a part's weight fall when an object hides it? Our own question."""
    runs = DptiRuns(study)
    header = ["attention that the object covers", "parts", "presence behind it / in the open", "of each seed"]
    parts, values = [], {}
    for name in ("G + D", "G + D + W"):
        found = [runs.hidden_parts(seed, name) for seed in study.seeds]
        rows = [header]
        for low, high in pairwise(SHARES):
            chosen = [ratio[(share >= low) & (share < high + (high == 1))] for share, ratio in found]
            medians = [float(np.median(one)) if len(one) else float("nan") for one in chosen]
            every = np.concatenate(chosen)
            cells = " ".join(f"{median:.2f}" for median in medians)
            middle = f"**{np.median(every):.2f}**" if len(every) else "–"
            rows.append([f"{100 * low:.0f} to {100 * high:.0f} %", str(len(every)), middle, cells])
        ranks = [_rank_correlation(share.ravel(), ratio.ravel()) for share, ratio in found]
        parts.append(f"**{name}**, rank correlation {' '.join(f'{rank:.2f}' for rank in ranks)} (each seed)")
        parts.append(markdown_table(rows))
        values[name] = {"rank correlation of each seed": ranks, "rows": rows[1:]}
    return Table(
        "presence",
        "Does a part's weight fall when an object hides it?",
        text="\n\n".join(parts),
        values=values,
        notes=[
            "The same picture of a person in the open and behind an object. Of each part, how much of its attention in "
            "the open lies where the object will be, and the ratio of its presence N rho (sec. 3.5); medians.",
            "The paper's hypothesis is that presence falls: ratios below 1, and a negative correlation.",
        ],
    )


def _rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(one, other).statistic)


TABLES: dict[str, Callable[[Study], Table]] = {
    "table4": table4,
    "table5": table5,
    "figure3": figure3,
    "presence": presence,
}
