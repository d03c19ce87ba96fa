"""The tables and figures of the STNReID paper in miniature: `reidops reproduce stnreid --table NAME`.

A slim network and drawn people stand for ResNet-50 and for Partial-REID and Partial-iLIDS. Absolute numbers mean
nothing beside the paper's; what can be compared is which method is better, and whether that is beyond chance. True
boxes are known here, as they are not for photographs: what an STN module has learnt can be seen apart from rank-1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import Tensor

from reidops_models.evaluation import markdown_table
from reidops_models.reproduction import Claim, Row, Study, Table
from reidops_models.reproduction.stnreid import published
from reidops_models.reproduction.stnreid.experiments import LOCALISERS, SETTINGS, STRONG, WHOLE, StnreidRuns
from reidops_models.reproduction.stnreid.figures import draw_figure4, draw_figure5

SETTING = (
    "Ours: drawn people, 20 to 60 % of a probe cut away, a slim ResNet; in brackets 95 % bootstrap intervals over the "
    "people of all seeds. The gallery shows everybody once, by a camera that took none of the probes."
)
TRUE = "True boxes: as if the STN module found, in every gallery image, the part of the body that the probe shows."


def table2(study: Study) -> Table:
    """Table 2 and sec. 5.1: does a weaker ReID module teach a better STN module?"""
    runs = StnreidRuns(study)
    rows, claims = [], []
    for variant in SETTINGS:
        alone, together, true = (f"{variant}, {method}" for method in ("ReID module alone", "STNReID", "true boxes"))
        printed = [{published.REID: (value,)} for value in published.TABLE_2[variant]]
        rows += [
            Row(alone, runs.ranked(partial(runs.alone, variant=variant)), published=printed[0]),
            Row(together, runs.ranked(partial(runs.with_stn, variant=variant)), published=printed[1]),
            Row(true, runs.ranked(partial(runs.with_true_boxes, variant=variant))),
        ]
        claims += [Claim(together, alone), Claim(true, alone, published=False)]
    text, values = _overlaps(runs, {variant: variant for variant in SETTINGS})
    return Table(
        "table2",
        "Five settings, one stage (table 2, figure 4)",
        rows,
        metrics=("r1",),
        claims=claims,
        notes=[SETTING, TRUE, "Pre-trained on other drawn people, in place of ImageNet. The weight of L_STN is 0.02."],
        text=text,
        values=values,
        figures={"figure4": partial(draw_figure4, runs)},
    )


def table3(study: Study) -> Table:
    """Table 3: Merge Mode and Pipeline Mode, with and without the STN module; and with one that was taught boxes."""
    runs = StnreidRuns(study)
    rows, claims = [], []
    for mode, variant in (("MM", STRONG), ("PM", "PM")):
        for stn, taught in (("Ep1", ""), ("boxes-two", " (boxes, ours)")):
            alone, with_stn = f"{mode}{taught}, ReID module alone", f"{mode}{taught}"
            for name, method in ((alone, runs.alone), (with_stn, runs.with_stn)):
                given = partial(method, variant=f"{variant}+{stn}")
                rows.append(Row(name, runs.ranked(given), published=published.TABLE_3.get(name, {})))
            claims.append(Claim(with_stn, alone, published=not taught))
    claims += [Claim("PM", "MM"), Claim("PM, ReID module alone", "MM, ReID module alone")]
    claims += [Claim("PM (boxes, ours)", "PM", published=False), Claim("MM (boxes, ours)", "MM", published=False)]
    text, values = _overlaps(runs, {"Ep1": "Ep1", "boxes-two": "boxes, two pictures (ours)"})
    return Table(
        "table3",
        "Two stages: Merge Mode and Pipeline Mode (table 3, figure 5)",
        rows,
        metrics=("r1", "r5"),
        claims=claims,
        notes=[
            SETTING,
            "MM: Ep1's STN module and a strong ReID module, each trained by itself. PM: then both together by eq. 6, "
            "the STN module frozen.",
            "Boxes (ours, not the paper's): an STN module taught the true boxes of pictures by two cameras.",
        ],
        text=text,
        values=values,
        figures={
            "figure5": partial(draw_figure5, runs, "PM+Ep1"),
            "figure5-boxes": partial(draw_figure5, runs, "PM+boxes-two"),
        },
    )


def table4(study: Study) -> Table:
    """Table 4: the methods that this package has, on one ReID module."""
    runs = StnreidRuns(study)
    methods: dict[str, tuple[Callable[..., Tensor], str, str]] = {
        "Baseline": (runs.alone, STRONG, "Baseline"),
        "DSR (Our)": (runs.reconstructed, STRONG, "DSR (Our)"),
        "STNReID (MM)": (runs.with_stn, f"{STRONG}+Ep1", "STNReID (MM)"),
        "STNReID (PM)": (runs.with_stn, "PM+Ep1", "STNReID (PM)"),
        "Baseline trained on as PM": (runs.alone, "PM+Ep1", ""),
        "DSR, trained on as PM": (runs.reconstructed, "PM+Ep1", ""),
        "STNReID (PM, boxes, ours)": (runs.with_stn, "PM+boxes-two", ""),
        "PM with true boxes": (runs.with_true_boxes, "PM+Ep1", ""),
    }
    rows = [
        Row(name, runs.ranked(partial(method, variant=variant)), published=published.TABLE_4.get(printed, {}))
        for name, (method, variant, printed) in methods.items()
    ]
    claims = [
        Claim("DSR (Our)", "Baseline"),
        Claim("STNReID (MM)", "Baseline"),
        Claim("STNReID (PM)", "Baseline"),
        Claim("STNReID (PM)", "DSR (Our)"),
        Claim("STNReID (PM)", "Baseline trained on as PM", published=False),
        Claim("STNReID (PM)", "DSR, trained on as PM", published=False),
        Claim("PM with true boxes", "Baseline trained on as PM", published=False),
    ]
    return Table(
        "table4",
        "Methods on one ReID module (table 4)",
        rows,
        metrics=("r1", "r3", "r5"),
        claims=claims,
        notes=[
            SETTING,
            "The Resizing model is the baseline here: the ReID module of images resized to one size. SWM, AMC and "
            "DSR's own network are in docs/dsr.md.",
            TRUE,
        ],
    )


def localisers(study: Study) -> Table:
    """What teaches an STN module to crop, and what cropping is worth: our own question."""
    runs = StnreidRuns(study)
    rows, claims = [], []
    for variant, title in ((WHOLE, "ReID of whole images"), (STRONG, "strong ReID")):
        alone = f"{title}, alone"
        rows.append(Row(alone, runs.ranked(partial(runs.alone, variant=variant))))
        found = {stn: partial(runs.with_stn, variant=f"{variant}+{stn}") for stn in LOCALISERS}
        found["true boxes"] = partial(runs.with_true_boxes, variant=variant)
        for stn, given in found.items():
            name = f"{title}, {LOCALISERS[stn][0] if stn in LOCALISERS else stn}"
            rows.append(Row(name, runs.ranked(given)))
            claims.append(Claim(name, alone, published=False))
    text, values = _overlaps(runs, {variant: title for variant, (title, _) in LOCALISERS.items()})
    return Table(
        "localisers",
        "What teaches an STN module to crop, and what that is worth",
        rows,
        metrics=("r1", "mAP"),
        claims=claims,
        notes=[
            SETTING,
            TRUE,
            "The strong ReID module has been trained on partial images, too.",
            *(f"{title}: {what}." for title, what in LOCALISERS.values()),
        ],
        text=text,
        values=values,
    )


def _overlaps(runs: StnreidRuns, variants: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """What STN modules crop, as IoU with the true box. In the first columns the partial image was cut from the holistic
    one, as in training. In the others they are two images of a person by two cameras, as in a search."""
    seeds = runs.study.seeds
    found = {"theta = identity": [(runs.overlap_within(seed), runs.overlap_across(seed)) for seed in seeds]}
    for variant, title in variants.items():
        found[title] = [(runs.overlap_within(seed, variant), runs.overlap_across(seed, variant)) for seed in seeds]
    rows = [["STN module of", "IoU, one picture", "of each seed", "IoU, two cameras", "of each seed"]]
    for name, values in found.items():
        columns = list(zip(*values, strict=True))
        cells = [(f"**{sum(one) / len(one):.3f}**", " ".join(f"{value:.3f}" for value in one)) for one in columns]
        rows.append([name, *(text for pair in cells for text in pair)])
    return markdown_table(rows), {"IoU of each seed, one picture and two cameras": found}


TABLES: dict[str, Callable[[Study], Table]] = {
    "table2": table2,
    "table3": table3,
    "table4": table4,
    "localisers": localisers,
}
