"""The tables and figures of the MGRe paper in miniature: `reidops reproduce mgre --table NAME`.

A slim ResNet with IBN-a and drawn people, whose joints are known, stand for ResNet-50-IBN, Market-1501 and HRNet.
Absolute numbers mean nothing beside the paper's; what can be compared is which network is better, and whether that is
beyond chance. How well regions are located can be seen here, as it cannot for photographs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from reidops_models.evaluation import bootstrap_interval, markdown_table, pool_rankings
from reidops_models.mgre.network import MgreNetwork
from reidops_models.mgre.recipe import NetworkOptions
from reidops_models.reproduction import Claim, Row, Study, Table
from reidops_models.reproduction.mgre import published
from reidops_models.reproduction.mgre.complexity import count_operations
from reidops_models.reproduction.mgre.experiments import MgreRuns
from reidops_models.reproduction.mgre.figures import draw_figure4, draw_mapping, draw_regions

SETTING = (
    "Ours: drawn people, images of 128x64, a slim ResNet with IBN-a, 20 epochs; in brackets 95 % bootstrap "
    "intervals over the people of all seeds. The gallery shows everybody three times, by a camera that took none of "
    "the probes."
)

CLAIMS_OF_TABLE_4 = (
    *(Claim(name, "Baseline", "mAP") for name in ("Baseline+1", "Baseline+2", "Baseline+3", "MGRe")),
    *(Claim("Baseline+2+3", name, "mAP") for name in ("Baseline+2", "Baseline+3")),
    Claim("MGRe", "Baseline+2+3", "mAP"),
    Claim("MGRe", "Baseline"),
)
CLAIMS_OF_TABLE_5 = tuple(
    Claim("MGRe", name, metric)
    for name in ("Single-grained features", "Single-grained regions")
    for metric in ("mAP", "r1")
)
CLAIMS_OF_TABLE_7 = (
    Claim("Baseline + JO", "Baseline", "mAP"),
    Claim("Baseline + JO", "Baseline"),
    Claim("MGRe", "MGRe without JO", "mAP"),
    Claim("MGRe", "MGRe without JO"),
    Claim("MGRe without JO", "Baseline + JO", "mAP"),
)


def table4(study: Study) -> Table:
    """Table 4: modules behind which blocks."""
    runs = MgreRuns(study)
    rows = [
        Row(name, runs.ranked(partial(runs.matched, variant=name)), published=printed)
        for name, printed in published.TABLE_4.items()
    ]
    return Table(
        "table4",
        "Modules behind which residual blocks (table 4)",
        rows,
        metrics=("r1", "mAP"),
        claims=CLAIMS_OF_TABLE_4,
        notes=[
            SETTING,
            "Baseline: the feature of block 4 alone. +i: location, sampling and extraction behind block i.",
        ],
    )


def table5(study: Study) -> Table:
    """Table 5: features or regions of a single granularity."""
    runs = MgreRuns(study)
    return Table(
        "table5",
        "Features or regions of a single granularity (table 5)",
        _rows(runs, published.TABLE_5),
        metrics=("r1", "r5", "mAP"),
        claims=CLAIMS_OF_TABLE_5,
        notes=[
            SETTING,
            "Single-grained features: all regions sampled from block 4's maps. Single-grained regions: the whole maps "
            "of every block, without location.",
        ],
    )


def table6(study: Study) -> Table:
    """Table 6: half of the test images erased."""
    runs = MgreRuns(study)
    names = ("Baseline", "Single-grained regions", "MGRe")
    rows, declines = [], [["decline where images are erased", "r1", "mAP"]]
    for name in names:
        plain, erased = (runs.ranked(partial(runs.matched, variant=name, erased=one)) for one in (False, True))
        printed = published.TABLE_6.get(name, ((), ()))
        rows += [
            Row(name, plain, published={published.MARKET: printed[0]} if printed[0] else {}),
            Row(f"{name}, erased", erased, published={published.MARKET: printed[1]} if printed[1] else {}),
        ]
        both = pool_rankings(plain), pool_rankings(erased)
        found = [
            bootstrap_interval(both[1], metric).value - bootstrap_interval(both[0], metric).value
            for metric in ("r1", "mAP")
        ]
        declines.append([name, *(f"{100 * value:+.1f}" for value in found)])
    for name, (plain_printed, erased_printed) in published.TABLE_6.items():
        differences = [after - before for before, after in zip(plain_printed, erased_printed, strict=True)]
        declines.append([f"{name}, paper", *(f"{value:+.1f}" for value in differences)])
    return Table(
        "table6",
        "Test images erased with p = 0.5 (table 6)",
        rows,
        metrics=("r1", "mAP"),
        claims=[Claim("MGRe, erased", f"{name}, erased", "mAP", published=False) for name in names[:2]],
        notes=[
            SETTING,
            "A rectangle of 2 to 40 % of the area of half of the probes and half of the gallery, the same for all "
            "networks. The paper compares with ABD-Net and MGN; here stands the plain baseline.",
        ],
        text=markdown_table(declines),
        values={"declines": declines[1:]},
    )


def table7(study: Study) -> Table:
    """Table 7: locating and re-identification learnt together."""
    runs = MgreRuns(study)
    return Table(
        "table7",
        "Joint optimisation (table 7)",
        _rows(runs, published.TABLE_7),
        metrics=("r1", "r5", "mAP"),
        claims=CLAIMS_OF_TABLE_7,
        notes=[
            SETTING,
            "Baseline + JO: regions are located and learnt, and block 4's feature alone is compared. MGRe without JO: "
            "the boxes of the joints, in training and in the search; here these are exact.",
        ],
    )


def table8(study: Study) -> Table:
    """Table 8: operations, of the paper's own size."""
    network = MgreNetwork(NetworkOptions(backbone="resnet50_ibn_a"), (256, 128), identities=751).eval()
    operations = count_operations(network)
    total = sum(operations.values())
    rows = [["GFLOPs of an image", "ours", "paper"]]
    rows += [[part, f"{count / 1e9:.3f}", ""] for part, count in operations.items()]
    rows.append(["**all**", f"**{total / 1e9:.2f}**", f"{published.GFLOPS}"])
    return Table(
        "table8",
        "Operations (table 8)",
        text=markdown_table(rows),
        values={"operations": operations},
        notes=["A product with its addition counts as one, as it does in the paper: its ResNet-101 has 6.50."],
    )


def location(study: Study) -> Table:
    """How well regions are located: our own question, for true boxes are known here."""
    runs = MgreRuns(study)
    header = ["region", "IoU with the true box", "of each seed", "predefined box", "error of an edge, % of the image"]
    parts, values = [], {}
    for name in ("MGRe", "Baseline + JO"):
        found = [runs.location_errors(seed, name) for seed in study.seeds]
        rows = [header]
        for region in found[0]:
            columns = list(zip(*(one[region] for one in found), strict=True))
            means = [sum(column) / len(column) for column in columns]
            each = " ".join(f"{value:.2f}" for value in columns[0])
            rows.append([region, f"**{means[0]:.2f}**", each, f"{means[1]:.2f}", f"{100 * means[2]:.1f}"])
        parts += [f"**{name}**", markdown_table(rows)]
        values[name] = rows[1:]
    return Table(
        "location",
        "How well regions are located",
        text="\n\n".join(parts),
        values=values,
        notes=[
            "True boxes: the hull of a region's joints and the margin of 0.05, as eq. 3 asks for. Test people, probes "
            "and gallery. The predefined box has table 1's centre and the sampled size.",
        ],
        figures={"mapping": partial(draw_mapping, runs), "regions": partial(draw_regions, runs, "MGRe")},
    )


def figure4(study: Study) -> Table:
    """Figure 4: class activation maps."""
    return Table(
        "figure4",
        "Class activation maps (figure 4)",
        text="Training people: the baseline's map, each stage's, and all stages together.",
        notes=["Where the logit of the person's own identity comes from; each map has its own scale of colours."],
        figures={"activation": partial(draw_figure4, MgreRuns(study), "MGRe", "Baseline")},
    )


def _rows(runs: MgreRuns, printed: Mapping[str, tuple[float, ...]]) -> list[Row]:
    return [
        Row(name, runs.ranked(partial(runs.matched, variant=name)), published={published.MARKET: values})
        for name, values in printed.items()
    ]


TABLES: dict[str, Callable[[Study], Table]] = {
    "table4": table4,
    "table5": table5,
    "table6": table6,
    "table7": table7,
    "table8": table8,
    "location": location,
    "figure4": figure4,
}
