"""The tables and figures of the CSN paper in miniature: `reidops reproduce csn --table NAME`.

Table 1's layers on images of half the size, and drawn people, stand for CUHK03. Absolute numbers mean nothing beside
the paper's; what can be compared is which network is better, and whether that is beyond chance.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from reidops_models.csn.network import CsnNetwork
from reidops_models.csn.recipe import NetworkOptions
from reidops_models.evaluation import markdown_table
from reidops_models.reproduction import Claim, Row, Study, Table
from reidops_models.reproduction.csn import published
from reidops_models.reproduction.csn.complexity import count_operations, count_parameters
from reidops_models.reproduction.csn.experiments import BASE, EXTENDED, CsnRuns
from reidops_models.reproduction.csn.figures import draw_figure4

METRICS = ("r1", "r5", "r10")
SETTING = (
    "Ours: drawn people, images of 80x32, two epochs; in brackets 95 % bootstrap intervals over the people of all "
    "seeds. The gallery shows everybody once, by a camera that took none of the probes."
)

ROWS_OF_TABLE_3 = {
    "Ours-cls": "cls",
    "Ours-L2": "L2",
    "Ours-L3": "L3",
    "Ours-L4": "L4",
    "Ours-(L2, L3)": BASE,
    "Ours-(L2, L3, L4)": EXTENDED,
}
ROWS_OF_TABLE_4 = {"C1": "C1", "C2": "C2", "C3": "L4", "C4": EXTENDED}


def table3(study: Study) -> Table:
    """Table 3: the ranking loss, and the levels."""
    runs = CsnRuns(study)
    base, extended = "Ours-(L2, L3)", "Ours-(L2, L3, L4)"
    rows = [_row(runs, name, variant, published.TABLE_3[name]) for name, variant in ROWS_OF_TABLE_3.items()]
    by_classifier, by_vectors = f"{base}, classifier alone", f"{base}, vectors alone"
    rows += [
        Row(by_classifier, runs.ranked(partial(runs.classified, variant=BASE))),
        Row(by_vectors, runs.ranked(partial(runs.by_vectors, variant=BASE))),
    ]
    claims = [
        Claim(base, "Ours-cls"),
        Claim("Ours-L3", "Ours-L2"),
        Claim("Ours-L4", "Ours-L2"),
        Claim("Ours-L4", "Ours-L3"),
        Claim(base, "Ours-L2"),
        Claim(base, "Ours-L3"),
        *(Claim(extended, name) for name in ("Ours-L2", "Ours-L3", "Ours-L4", base)),
        Claim(by_classifier, "Ours-cls", published=False),
        Claim(base, by_classifier, published=False),
        Claim(base, by_vectors, published=False),
    ]
    return Table(
        "table3",
        "The ranking loss and the levels (table 3)",
        rows,
        metrics=METRICS,
        claims=claims,
        notes=[
            SETTING,
            "Ours-cls: (L2, L3) trained without L_ctr, and scored by the classifier alone.",
            "The last two rows are (L2, L3) scored by one term of eq. 7.",
        ],
    )


def table4(study: Study) -> Table:
    """Table 4: stripes, localisation nets, levels."""
    runs = CsnRuns(study)
    rows = [_row(runs, name, variant, published.TABLE_4[name]) for name, variant in ROWS_OF_TABLE_4.items()]
    claims = [Claim("C4", other) for other in ("C1", "C2", "C3")] + [Claim("C2", "C1")]
    return Table(
        "table4",
        "Stripes, localisation and levels (table 4)",
        rows,
        metrics=METRICS,
        claims=claims,
        notes=[
            SETTING,
            "C1: one part of the whole map, no stripes. C2: the middle of each stripe in place of a localisation net. "
            "C3: level 4 alone. C4: all of it.",
        ],
    )


def classifier(study: Study) -> Table:
    """Tables 3 and 4 without the second term of eq. 7: what the score maps alone tell. Our own question."""
    runs = CsnRuns(study)
    variants = {**ROWS_OF_TABLE_3, **{name: ROWS_OF_TABLE_4[name] for name in ("C1", "C2")}}
    rows = [Row(name, runs.ranked(partial(runs.classified, variant=variant))) for name, variant in variants.items()]
    base, extended = "Ours-(L2, L3)", "Ours-(L2, L3, L4)"
    pairs = [
        (base, "Ours-cls"),
        ("Ours-L3", "Ours-L2"),
        ("Ours-L4", "Ours-L3"),
        *((base, name) for name in ("Ours-L2", "Ours-L3")),
        *((extended, name) for name in ("Ours-L2", "Ours-L3", "Ours-L4", base, "C1", "C2")),
    ]
    return Table(
        "classifier",
        "What the score maps alone tell: tables 3 and 4 by the classifier",
        rows,
        metrics=METRICS,
        claims=[Claim(better, worse, published=False) for better, worse in pairs],
        notes=[SETTING, "The networks of tables 3 and 4, ranked by s_softmax of eq. 7."],
    )


def table5(study: Study) -> Table:
    """Table 5: parameters and operations, of the paper's own size."""
    header = ["", "parameters, M", "paper", "GFLOPs of a pair", "paper"]
    totals, parts, values = [header], {}, {}
    for name, levels in (("Ours-(L2, L3)", (2, 3)), ("Ours-(L2, L3, L4)", (2, 3, 4))):
        network = CsnNetwork(NetworkOptions(levels=levels), (160, 60)).eval()  # type: ignore[arg-type]  # of Literals
        parameters, operations = count_parameters(network), count_operations(network)
        total = sum(operations.values())
        printed = published.TABLE_5[name]
        totals.append([name, f"**{parameters / 1e6:.3f}**", f"{printed[0]}", f"**{total / 1e9:.3f}**", f"{printed[1]}"])
        parts[name] = operations
        values[name] = {"parameters": parameters, "operations": operations}
    shares = [["GFLOPs of a pair", *parts]]
    for part in parts["Ours-(L2, L3)"]:
        shares.append([part, *(f"{operations[part] / 1e9:.3f}" for operations in parts.values())])
    return Table(
        "table5",
        "Parameters and operations (table 5)",
        text=f"{markdown_table(totals)}\n\n{markdown_table(shares)}",
        values=values,
        notes=["Two operations for each product. Both images' trunks, localisation and ranking nets are counted."],
    )


def figure4(study: Study) -> Table:
    """Figure 4: score maps of a wrong and a right gallery picture, at both levels."""
    return Table(
        "figure4",
        "Score maps at levels 2 and 3 (figure 4)",
        text="Each row: a probe, a gallery picture, and where in the probe its upper and its middle part are found.",
        notes=[
            "The mean over the 96 maps of a part; in each column one scale of colours for the two rows of a probe.",
            "Of two rows the upper one has the wrong picture that came nearest, the lower one the right picture.",
        ],
        figures={"maps": partial(draw_figure4, CsnRuns(study))},
    )


def _row(runs: CsnRuns, name: str, variant: str, printed: tuple[float, ...]) -> Row:
    results = runs.ranked(partial(runs.matched, variant=variant))
    return Row(name, results, published={published.CUHK03: printed})


TABLES: dict[str, Callable[[Study], Table]] = {
    "table3": table3,
    "table4": table4,
    "classifier": classifier,
    "table5": table5,
    "figure4": figure4,
}
