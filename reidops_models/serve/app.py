"""The addresses of the server, and what each of them answers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from importlib.resources import files
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from reidops import __version__
from reidops_models.data import UPLOAD_FORMATS, ImageError, ImageSizeError
from reidops_models.gallery import GalleryEntry, GalleryError
from reidops_models.report import drawing_css
from reidops_models.serve.answers import EntryAnswer, ErrorAnswer, GalleryAnswer, SearchAnswer
from reidops_models.serve.guard import LOOPBACK_NAMES, Guard
from reidops_models.serve.people import People, file_state, small_picture
from reidops_models.serve.queue import QueueFullError, SearchQueue, SearchStoppedError
from reidops_models.serve.uploads import MEDIA_TYPES, UploadError, receive_upload, sender_gone

MOST_RANKS = 100
PLACES = 8  # searches that run, wait or are received at a time
MEGA = 10**6

Number = Annotated[int, Path(ge=0, lt=2**63, description="Of an entry.")]
Top = Annotated[int, Query(ge=1, le=MOST_RANKS, description="Ranks to give.")]
Draw = Annotated[bool, Query(description="Draw how rank 1 was matched.")]

BODY = {"required": True, "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES}}


@dataclass(frozen=True)
class Limits:
    """What may be sent.

    Attributes:
        most_bytes: of an image.
        most_pixels: of an image, height x width.
        places: searches that run, wait or are received at a time.
    """

    most_bytes: int = 10 * MEGA
    most_pixels: int = 4 * MEGA
    places: int = PLACES


def create_app(people: People, limits: Limits | None = None, names: Collection[str] = LOOPBACK_NAMES) -> FastAPI:
    """The server as an ASGI application.

    Args:
        people: the gallery, opened.
        limits: what may be sent.
        names: the host names by which the server may be asked; requests by any other are refused.
    """
    # Its own pages about itself would load scripts from elsewhere, so only /openapi.json is left.
    app = FastAPI(title="reidops serve", version=__version__, docs_url=None, redoc_url=None)
    app.description = "Search a gallery of people for a crop."
    app.add_middleware(Guard, names=names)
    _answer_errors(app)
    _add_page(app)
    _add_gallery(app, people, limits or Limits())
    _add_search(app, people, limits or Limits())
    return app


def _errors(*codes: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of the errors of an address; the guard may refuse any request."""
    return {code: {"model": ErrorAnswer} for code in (403, *codes)}


def _add_page(app: FastAPI) -> None:
    page = files("reidops_models.serve") / "page"
    kinds = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
    contents = {name: (page / name).read_text("utf-8") for name in ("index.html", "page.css", "page.js")}
    contents["drawing.css"] = drawing_css()

    def add(address: str, text: str, kind: str) -> None:
        @app.get(address, include_in_schema=False)
        def answer() -> Response:
            return Response(text, media_type=kind)

    for name, text in contents.items():
        add("/" if name == "index.html" else f"/{name}", text, kinds[name.rpartition(".")[2]])


def _add_gallery(app: FastAPI, people: People, limits: Limits) -> None:
    missing = (files("reidops_models.serve") / "page" / "missing.svg").read_text("utf-8")
    pictures: dict[str, Any] = {"image/jpeg": {}, "image/svg+xml": {}}
    facts = people.gallery.facts

    def find(number: int) -> GalleryEntry:
        entry = people.entry(number)
        if entry is None:
            raise HTTPException(404, f"number: no entry {number}")
        return entry

    @app.get("/api/gallery", responses=_errors(503))
    def gallery() -> GalleryAnswer:
        """What is searched, how, and what may be sent."""
        return GalleryAnswer(
            name=people.name,
            pictures=len(people),
            model=facts.model,
            method=people.method,
            checkpoint=facts.identity,
            threshold=people.threshold,
            formats=list(UPLOAD_FORMATS),
            most_bytes=limits.most_bytes,
            most_pixels=limits.most_pixels,
            most_ranks=MOST_RANKS,
        )

    @app.get("/api/entries/{number}", responses=_errors(404, 422, 503))
    def entry(number: Number) -> EntryAnswer:
        """A picture of the gallery."""
        found = find(number)
        return EntryAnswer.of(found, file_state(found))

    @app.get(
        "/api/entries/{number}/thumbnail",
        response_class=Response,
        responses={**_errors(404, 422, 503), 200: {"content": pictures, "description": "JPEG, or SVG without a file"}},
    )
    def small(number: Number) -> Response:
        """A small picture of an entry, from the file it was indexed from; a placeholder where that is gone."""
        picture = small_picture(find(number))
        if picture is None:
            return Response(missing, media_type="image/svg+xml")
        return Response(picture, media_type="image/jpeg")


def _add_search(app: FastAPI, people: People, limits: Limits) -> None:
    app.state.queue = queue = SearchQueue(limits.places)

    @app.post("/api/search", responses=_errors(408, 413, 415, 422, 503), openapi_extra={"requestBody": BODY})
    async def search(request: Request, top: Top = 10, drawing: Draw = False) -> SearchAnswer:
        """Rank the gallery's pictures by their distance to an image, which is the request's body and is not kept."""
        async with queue.place():
            image = await receive_upload(request, limits.most_bytes)
            return await queue.run(
                lambda stop: people.search(image, limits.most_pixels, top, drawing, stop), sender_gone(request)
            )


def _answer_errors(app: FastAPI) -> None:
    """Every error is JSON with one line."""

    def answer(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
        line = " ".join(message.split())
        return JSONResponse(ErrorAnswer(error=line).model_dump(), status_code=status, headers=headers)

    def of_http(_: Request, error: HTTPException) -> Response:
        return answer(error.status_code, str(error.detail), dict(error.headers or {}))

    def of_arguments(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return answer(422, f"{first['loc'][-1]}: {first['msg']}, got {first.get('input')!r}"[:300])

    def of_upload(_: Request, error: UploadError) -> Response:
        return answer(error.status, str(error))

    def of_image(_: Request, error: ImageError) -> Response:
        return answer(413 if isinstance(error, ImageSizeError) else 422, str(error))

    def of_gallery(_: Request, error: GalleryError) -> Response:
        return answer(503, str(error))

    def of_queue(_: Request, error: QueueFullError) -> Response:
        return answer(503, "too many searches are waiting; try again soon", {"Retry-After": "5"})

    def of_leaving(_: Request, error: SearchStoppedError) -> Response:
        return answer(503, "the search was stopped")  # nobody reads it

    def of_mistake(_: Request, error: Exception) -> Response:
        return answer(500, "a mistake of the server's; its terminal shows the trace")

    app.add_exception_handler(HTTPException, of_http)  # type: ignore[arg-type]
    app.add_exception_handler(RequestValidationError, of_arguments)  # type: ignore[arg-type]
    app.add_exception_handler(UploadError, of_upload)  # type: ignore[arg-type]
    app.add_exception_handler(ImageError, of_image)  # type: ignore[arg-type]
    app.add_exception_handler(GalleryError, of_gallery)  # type: ignore[arg-type]
    app.add_exception_handler(QueueFullError, of_queue)  # type: ignore[arg-type]
    app.add_exception_handler(SearchStoppedError, of_leaving)  # type: ignore[arg-type]
    app.add_exception_handler(Exception, of_mistake)
