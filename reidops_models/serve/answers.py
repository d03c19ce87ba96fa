"""What the server answers, typed: OpenAPI shows these models to programs."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from reidops_models.gallery import GalleryEntry

FileState = Literal["as indexed", "changed", "missing"]


class ErrorAnswer(BaseModel):
    """Why there is no other answer."""

    error: str = Field(description="One line.")


class GalleryAnswer(BaseModel):
    """What is searched, how, and what may be sent."""

    name: str = Field(description="The gallery's name.")
    pictures: int = Field(description="How many pictures it has.")
    model: str = Field(description="The paper's name.")
    method: str = Field(description="The method that compares pictures.")
    checkpoint: str = Field(description="The identity of the checkpoint.")
    threshold: float | None = Field(description="Beyond this distance nobody is recognised; null: nobody has said.")
    formats: list[str] = Field(description="Of the images that may be sent.")
    most_bytes: int = Field(description="Of an image that is sent.")
    most_pixels: int = Field(description="Of an image that is sent: height x width.")
    most_ranks: int = Field(description="The largest `top`.")


class EntryAnswer(BaseModel):
    """A picture of the gallery."""

    number: int = Field(description="Its number, which its addresses here have.")
    id: str = Field(description="What the gallery calls it; often the path of its file.")
    name: str = Field(description="What results call it.")
    person: int | None = Field(description="The identity, where it is known.")
    camera: int | None = Field(description="The camera, where it is known.")
    time: datetime | None = Field(description="When its file was last modified.")
    height: int = Field(description="In pixels.")
    width: int = Field(description="In pixels.")
    file: FileState = Field(description="Whether the file it was indexed from is still there.")
    thumbnail: str = Field(description="The address of its small picture.")

    @staticmethod
    def of(entry: GalleryEntry, state: FileState) -> EntryAnswer:
        """The answer for an entry."""
        return EntryAnswer(
            number=entry.number,
            id=entry.id,
            name=entry.name,
            person=entry.pid,
            camera=entry.camid,
            time=entry.time,
            height=entry.size[0],
            width=entry.size[1],
            file=state,
            thumbnail=f"/api/entries/{entry.number}/thumbnail",
        )


class MatchAnswer(BaseModel):
    """A picture in the ranked list."""

    rank: int = Field(description="1 is the nearest.")
    distance: float = Field(description="To the probe; smaller is more alike.")
    within: bool | None = Field(description="Whether the distance is within the threshold; null without one.")
    probability: float | None = Field(
        description="That it shows the probe's person, by the gallery's calibration, for pairs of which as many are "
        "right as there; null without one."
    )
    entry: EntryAnswer


class SearchAnswer(BaseModel):
    """The ranked list of a probe."""

    height: int = Field(description="Of the probe, in pixels.")
    width: int = Field(description="Of the probe, in pixels.")
    method: str = Field(description="The method that made the distances.")
    threshold: float | None = Field(description="Beyond this distance nobody is recognised; null: nobody has said.")
    unknown: bool | None = Field(
        description="Whether even the nearest picture is beyond the threshold, so that the person is taken not to be "
        "in the gallery; null without a threshold."
    )
    matches: list[MatchAnswer] = Field(description="Nearest first.")
    drawing: str | None = Field(description="How rank 1 was matched, as HTML with SVG; null unless it was asked for.")
    remark: str | None = Field(description="What to know of the drawing, or why there is none.")
