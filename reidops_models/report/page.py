"""The HTML report of ranked lists: one self-contained file, images inside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from torch import Tensor

from reidops_models.files import replacing
from reidops_models.matching import Explanation
from reidops_models.report.fragment import templates
from reidops_models.report.panels import lay_out
from reidops_models.report.pixels import data_uri, png_uri

THUMBNAIL = 192  # pixels of the longer side


@dataclass(frozen=True)
class RankedImage:
    """One gallery image of a ranked list. `correct` is None where identities are not known, `image` where its file
    cannot be read any more."""

    rank: int
    name: str
    image: Tensor | None
    distance: float
    correct: bool | None = None


@dataclass(frozen=True)
class RankedProbe:
    """A probe, its top ranks, and how the best match was made.

    `explanation` is of the first of `ranked`; an explanation without panels is not drawn.
    `first_match` is the rank of the first image of the same person, None where that is not known.
    `unknown` says that even the best match is too far to be the probe's person.
    """

    name: str
    image: Tensor
    ranked: Sequence[RankedImage] = field(default_factory=tuple)
    explanation: Explanation | None = None
    first_match: int | None = None
    unknown: bool = False


def write_report(
    path: str | Path,
    probes: Sequence[RankedProbe],
    *,
    title: str = "Ranked matches",
    facts: Mapping[str, str] | None = None,
    tables: Sequence[Sequence[Sequence[str]]] = (),
    notes: Sequence[str] = (),
    figures: Mapping[str, str | Path] | None = None,
) -> Path:
    """Write the report, all at once: a reader never finds half a page.

    Args:
        path: the HTML file.
        probes: what to show, in order.
        title: the heading.
        facts: short statements under the heading, such as {"model": "dsr", "gallery": "45 images"}.
        tables: each rows of text, the first of them the header; drawn under the facts.
        notes: lines under the tables, such as what could not be read.
        figures: PNG files to show beside the tables, by what they are, such as {"CMC": "cmc.png"}.

    Returns:
        The path written.

    Example:
        >>> write_report("report.html", probes, facts={"model": "dsr"})  # doctest: +SKIP
    """
    html = (
        templates()
        .get_template("report.html")
        .render(
            title=title,
            facts=dict(facts or {}),
            tables=[[list(row) for row in table] for table in tables],
            notes=list(notes),
            figures={name: png_uri(path) for name, path in (figures or {}).items()},
            probes=[_section(number, probe) for number, probe in enumerate(probes, start=1)],
        )
    )
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as unfinished:
        unfinished.write_text(html, encoding="utf-8", errors="backslashreplace")  # a file name may not be UTF-8
    return path


def _section(number: int, probe: RankedProbe) -> dict[str, Any]:
    """What the template needs of one probe."""
    return {
        "number": number,
        "name": probe.name,
        "size": f"{probe.image.shape[2]} x {probe.image.shape[1]}",
        "image": data_uri(probe.image, THUMBNAIL),
        "first_match": probe.first_match,
        "unknown": probe.unknown,
        "drawing": lay_out(probe.explanation) if probe.ranked and probe.explanation is not None else None,
        "ranked": [
            {
                "rank": match.rank,
                "name": match.name,
                "file": PurePosixPath(match.name).name,
                "image": None if match.image is None else data_uri(match.image, THUMBNAIL),
                "distance": f"{match.distance:.4f}",
                "verdict": {True: "right", False: "wrong", None: "unknown"}[match.correct],
            }
            for match in probe.ranked
        ],
    }
