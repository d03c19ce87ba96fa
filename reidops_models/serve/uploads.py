"""An image that somebody sends: received into memory, bounded in bytes and in time, and forgotten with the request."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request

from reidops_models.serve.queue import SearchStoppedError

SECONDS = 30.0  # in which an upload must be here

MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp", "application/octet-stream")


class UploadError(Exception):
    """An upload that is not taken.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        super().__init__(message)


async def receive_upload(request: Request, most_bytes: int, seconds: float = SECONDS) -> bytes:
    """The body of a request. What is too large is not received to its end.

    Raises:
        UploadError: it is too large, too slow, or not sent as an image.
        SearchStoppedError: the sender has gone.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in MEDIA_TYPES:
        raise UploadError(415, f"content-type: expected {', '.join(MEDIA_TYPES)}, got {kind or 'none'}")
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most_bytes:
        raise UploadError(413, f"the image has {int(declared)} bytes, expected {most_bytes} or fewer")
    try:
        return await asyncio.wait_for(_bounded(request, most_bytes), seconds)
    except asyncio.TimeoutError:
        raise UploadError(408, f"the image was not here after {seconds:g} seconds") from None
    except ClientDisconnect:
        raise SearchStoppedError from None


async def _bounded(request: Request, most_bytes: int) -> bytes:
    received = bytearray()
    async for part in request.stream():
        received += part
        if len(received) > most_bytes:
            raise UploadError(413, f"the image has more than {most_bytes} bytes")
    return bytes(received)


async def sender_gone(request: Request) -> None:
    """Returns when the sender of a request, which has been received whole, does not wait for its answer any more."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
