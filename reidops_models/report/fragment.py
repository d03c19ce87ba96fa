"""The drawing of one explanation as a piece of HTML, for the report and for any other page."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from reidops_models.matching import Explanation
from reidops_models.report.panels import lay_out

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def templates() -> Environment:
    """The report's templates; whatever they are given is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("reidops_models.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def draw_explanation(explanation: Explanation, identifier: str = "1") -> str | None:
    """The drawing of an explanation, as the report has it; None where there is nothing to draw.

    Args:
        explanation: of a pair, from `Matcher.explain`.
        identifier: tells the drawings of one page apart: letters, digits and hyphens.

    Returns:
        HTML with SVG and `data:` images, and without scripts. It needs the rules of :func:`drawing_css`, and the
        custom properties `--ink` and `--soft`, the colours of text.
    """
    drawing = lay_out(explanation)
    if drawing is None:
        return None
    return templates().get_template("panels.html").render(drawing=drawing, id=identifier)


def drawing_css() -> str:
    """The style sheet of drawings."""
    return templates().get_template("panels.css").render()
