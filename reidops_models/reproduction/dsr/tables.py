"""The tables and figures of the DSR paper in miniature: `reidops reproduce dsr --table NAME`.

The small network and the drawn people stand for the FCN and for Partial REID and Partial-iLIDS. Absolute numbers mean
nothing beside the paper's; what can be compared is which method is better, and whether that is beyond chance.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from reidops_models.reproduction import Claim, Row, Study, Table
from reidops_models.reproduction.dsr import published
from reidops_models.reproduction.dsr.experiments import (
    CONTROL,
    DOUBLE,
    FINE_TUNED,
    IMPLICIT,
    LARGE,
    PRE_TRAINED,
    SINGLE,
    TRIPLE,
    WHOLE,
    DsrRuns,
)
from reidops_models.reproduction.dsr.timing import build_timing

METHODS = ("Resizing model", "SWM", "AMC", "AMC+SWM", "DSR single-scale", "DSR multi-scale")
BLOCKS = {"1x1": SINGLE, "1x1 + 2x2": DOUBLE, "1x1 + 2x2 + 3x3": TRIPLE}
SMALLER, LARGER = 0.67, 1.5
FACTORS = (SMALLER, 1.0, LARGER, 2.0)  # by which probes are resized
RIVAL_FACTORS = (SMALLER, LARGER)

SETTING = (
    "Ours: drawn people, a slim ResNet with 8x4 maps; in brackets 95 % bootstrap intervals over the people of all "
    "seeds. The gallery shows everybody from a camera that took none of the probes."
)


def table1(study: Study) -> Table:
    """Table 1, figures 10 and 11: all methods, one gallery image per person."""
    return _all_methods(DsrRuns(study), "table1", shots=1)


def table2(study: Study) -> Table:
    """Table 2: all methods, three gallery images per person."""
    return _all_methods(DsrRuns(study), "table2", shots=3)


def _all_methods(runs: DsrRuns, name: str, shots: int) -> Table:
    numbers = published.TABLE_1 if shots == 1 else published.TABLE_2

    def distances(method: str) -> Callable[[int], Tensor]:
        if method == "AMC":
            return partial(runs.people, variant=FINE_TUNED, method="AMC", shots=shots)
        if method == "AMC+SWM":
            return partial(runs.fused, variant=FINE_TUNED, shots=shots)
        return partial(runs.matched, variant=FINE_TUNED, method=method)

    def row(method: str, given: Callable[[int], Tensor]) -> Row:
        return Row(method, runs.ranked(given, shots=shots), runs.verified(given, shots=shots), numbers.get(method, {}))

    rows = [row(method, distances(method)) for method in METHODS]
    claims = [Claim("DSR single-scale", rival) for rival in ("Resizing model", "SWM", "AMC", "AMC+SWM")]
    claims += [Claim("DSR multi-scale", "DSR single-scale"), Claim("AMC+SWM", "AMC"), Claim("AMC+SWM", "SWM")]
    claims += [Claim("SWM", "Resizing model")]
    notes = [
        SETTING,
        "All methods use the fine-tuned network.",
        "AMC without the weights for ambiguous patches, which DSR's paper does not describe.",
    ]
    if shots > 1:
        for method in ("DSR single-scale", "DSR multi-scale"):
            rows.append(Row(f"{method}, N = 1", runs.ranked(distances(method), shots=1)))
            claims.append(Claim(method, f"{method}, N = 1"))
        for title, kind in (("a dictionary a person", "groups"), ("one dictionary for all", "joint")):
            rows.append(row(f"DSR, {title}", partial(runs.people, variant=FINE_TUNED, method=kind, shots=shots)))
            claims.append(Claim(f"DSR, {title}", "DSR single-scale", published=False))
        notes.append(
            "A person's distance is the mean over the pictures (sec. 4.2), for AMC the error that all of a person's "
            'coefficients leave. The last two rows are ours: `groups=` and `method="joint"` of `reidops.dsr_distance`.'
        )
    kind = "Single-shot, N = 1 (table 1, figures 10 and 11)" if shots == 1 else "Multi-shot, N = 3 (table 2)"
    return Table(name, f"{kind}: all methods", rows, claims=claims, notes=notes)


def figure9(study: Study) -> Table:
    """Figure 9: blocks of 1x1, of 1x1 and 2x2, and of 1x1, 2x2 and 3x3."""
    runs = DsrRuns(study)
    rows = [
        Row(name, runs.ranked(partial(runs.blocks, variant=FINE_TUNED, scales=scales), shots=1))
        for name, scales in BLOCKS.items()
    ]
    first, second, third = BLOCKS
    claims = [Claim(second, first), Claim(third, first), Claim(third, second)]
    notes = [SETTING, "The paper prints curves only."]
    return Table("figure9", "Multi-scale blocks (figure 9)", rows, claims=claims, notes=notes)


def scale(study: Study) -> Table:
    """Multi-scale blocks where probe and gallery differ in scale, which sec. 3.4 builds them for."""
    runs = DsrRuns(study)
    rows, claims = [], []
    for factor in (*FACTORS, None):
        title = "random, 1/2 to 2" if factor is None else f"x {factor:g}"
        methods: dict[str, str | tuple[int, ...]] = {f"{title}: {name}": scales for name, scales in BLOCKS.items()}
        single, _, triple = methods
        claims += [Claim(name, single, published=False) for name in list(methods)[1:]]
        if factor in RIVAL_FACTORS:  # x 1 is table 1
            methods |= {f"{title}: {name}": name for name in ("SWM", "Resizing model")}
            if factor == SMALLER:
                claims.append(Claim(triple, f"{title}: SWM"))
        for name, method in methods.items():
            given = partial(runs.rescaled, variant=FINE_TUNED, method=method, factor=factor)
            rows.append(Row(name, runs.ranked(given, shots=1)))
    large = {f"maps of 16x8: {name}": scales for name, scales in BLOCKS.items()}
    for name, scales in large.items():
        rows.append(Row(name, runs.ranked(partial(runs.blocks, variant=LARGE, scales=scales), shots=1)))
    single, *others = large
    claims += [Claim(name, single, published=False) for name in others]
    notes = [
        SETTING,
        "Probes are resized by the factor before the network sees them, the gallery is not; N = 1.",
        "Scales were looked for on the validation people of seed 0, with a shorter training, among eleven factors and "
        "sizes of input; these are the test people of all seeds.",
        "Maps of 16x8: a network trained on pictures of twice the size, for 20 epochs instead of 45 and without "
        "fine-tuning; probe and gallery have one scale.",
        "That SWM is not robust to a change of scale the paper says in sec. 4.4, without numbers. Enlarged it is no "
        "test: each drawn probe keeps one side whole, no longer fits, and SWM shrinks it back to the gallery's scale.",
    ]
    return Table(
        "scale",
        "Multi-scale blocks under a mismatch of scale, and on larger maps",
        rows,
        ("r1", "r5", "mAP"),
        claims=claims,
        notes=notes,
    )


def figure13(study: Study) -> Table:
    """Figure 13: DSR on the pre-trained and on the fine-tuned network, single-shot."""
    runs = DsrRuns(study)
    names = {"pre-trained": PRE_TRAINED, "trained on without eq. 5": CONTROL, "fine-tuned": FINE_TUNED}
    rows = []
    for name, variant in names.items():
        given = partial(runs.matched, variant=variant, method="DSR single-scale")
        rows.append(Row(name, runs.ranked(given, shots=1), runs.verified(given)))
    claims = [Claim("fine-tuned", "pre-trained", metric) for metric in ("r1", "mAP")]
    claims += [Claim("fine-tuned", "trained on without eq. 5", metric, published=False) for metric in ("r1", "mAP")]
    notes = [
        SETTING,
        "DSR single-scale, N = 1. The paper prints curves only.",
        "The second row takes the same steps on the same pairs with the identification loss alone: what more training "
        "gives.",
    ]
    return Table(
        "figure13",
        "With and without fine-tuning by DSR (figure 13)",
        rows,
        claims=claims,
        metrics=("r1", "r3", "r5", "r10", "mAP"),
        notes=notes,
    )


def table4(study: Study) -> Table:
    """Table 4: whole probes, before and after fine-tuning."""
    runs = DsrRuns(study)

    def row(name: str, given: Callable[[int], Tensor]) -> Row:
        return Row(name, runs.ranked(given, shots=1, probe_set=WHOLE), published=published.TABLE_4.get(name, {}))

    rows = [row("pool5, Euclidean", partial(runs.pooled, variant=PRE_TRAINED, probe_set=WHOLE))]
    for variant, ending in ((PRE_TRAINED, ""), (FINE_TUNED, ", fine-tuned")):
        for method in ("DSR single-scale", "DSR multi-scale"):
            rows.append(row(method + ending, partial(runs.matched, variant=variant, method=method, probe_set=WHOLE)))
    rows.append(row("pool5, Euclidean, fine-tuned", partial(runs.pooled, variant=FINE_TUNED, probe_set=WHOLE)))
    claims = []
    for metric in ("r1", "mAP"):
        claims += [
            Claim("DSR single-scale", "pool5, Euclidean", metric),
            Claim("DSR multi-scale", "DSR single-scale", metric),
            Claim("DSR single-scale, fine-tuned", "DSR single-scale", metric),
            Claim("DSR multi-scale, fine-tuned", "DSR single-scale, fine-tuned", metric),
        ]
    notes = [SETTING, "One gallery picture a person: mAP is the mean reciprocal rank here, not as on Market-1501."]
    return Table("table4", "Whole probes (table 4)", rows, ("r1", "mAP"), claims=claims, notes=notes)


def gradients(study: Study) -> Table:
    """Fine-tuning by eq. 7, with W held constant, against the exact gradient, which follows W."""
    runs = DsrRuns(study)
    names = {"pre-trained": PRE_TRAINED, "W constant (eq. 7)": FINE_TUNED, "through W (implicit)": IMPLICIT}
    rows = [
        Row(name, runs.ranked(partial(runs.matched, variant=variant, method="DSR single-scale"), shots=1))
        for name, variant in names.items()
    ]
    first, constant, implicit = names
    claims = [
        Claim(one, other, metric, published=False)
        for metric in ("r1", "mAP")
        for one, other in ((constant, first), (implicit, first), (implicit, constant))
    ]
    notes = [SETTING, "DSR single-scale, N = 1. Both start from one network and see the same pairs in the same order."]
    return Table(
        "gradients", "Which gradient trains better", rows, ("r1", "r3", "r5", "mAP"), claims=claims, notes=notes
    )


def table3(study: Study) -> Table:
    """Table 3: seconds to identify one probe."""
    return build_timing(DsrRuns(study))


TABLES: dict[str, Callable[[Study], Table]] = {
    "table1": table1,
    "table2": table2,
    "figure9": figure9,
    "scale": scale,
    "table3": table3,
    "figure13": figure13,
    "table4": table4,
    "gradients": gradients,
}
