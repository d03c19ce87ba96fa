"""From a probe's distances to its ranked list, for a file or a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reidops_models.cli.pictures import Picture

if TYPE_CHECKING:
    from torch import Tensor

    from reidops_models.matching import Matcher
    from reidops_models.report import RankedProbe

PICTURED_RANKS = 5  # in a report


def ranking(distances: Tensor) -> list[int]:
    """Gallery indices, nearest first; of equal distances, the gallery's order decides."""
    order: list[int] = distances.argsort(stable=True).tolist()
    return order


def ranked_names(distances: Tensor, gallery: Sequence[Picture], top: int | None = None) -> list[tuple[str, float]]:
    """(name, distance) of the first `top` gallery pictures."""
    return [(gallery[index].name, float(distances[index])) for index in ranking(distances)[:top]]


def ranked_probe(
    matcher: Matcher,
    probe: Picture,
    distances: Tensor,
    gallery: Sequence[Picture],
    top: int | None = None,
    *,
    market_rule: bool = False,
) -> RankedProbe:
    """A probe's part of the report: its first ranks, and how the best of them was matched.

    Args:
        matcher: what made the distances.
        probe: the probe.
        distances: (G,) to each gallery picture.
        gallery: G pictures.
        top: ranks to show, at most `PICTURED_RANKS`.
        market_rule: leave out the pictures of the probe's person from the probe's camera, as Market-1501 does.
    """
    from reidops_models.report import RankedImage, RankedProbe

    known = probe.pid is not None and probe.pid >= 0 and any(picture.pid == probe.pid for picture in gallery)
    order = ranking(distances)
    counted = [index for index in order if not (market_rule and _same_shot(probe, gallery[index]))]
    right = [index for index in counted if known and gallery[index].pid == probe.pid]
    shown = counted[: min(top or PICTURED_RANKS, PICTURED_RANKS)]
    image = probe.read()
    ranked = [
        RankedImage(
            rank=rank,
            name=gallery[index].name,
            image=gallery[index].read(),
            distance=float(distances[index]),
            correct=gallery[index].pid == probe.pid if known else None,
        )
        for rank, index in enumerate(shown, start=1)
    ]
    return RankedProbe(
        name=probe.name,
        image=image,
        ranked=ranked,
        explanation=matcher.explain(image, ranked[0].image) if ranked else None,
        first_match=counted.index(right[0]) + 1 if right else None,
    )


def _same_shot(probe: Picture, picture: Picture) -> bool:
    return probe.pid is not None and (probe.pid, probe.camid) == (picture.pid, picture.camid)
