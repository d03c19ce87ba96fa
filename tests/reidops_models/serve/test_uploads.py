"""An upload is bounded in bytes and in time, and not received to its end where it is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest
from starlette.requests import Request
from starlette.types import Message

from reidops_models.serve.queue import SearchStoppedError
from reidops_models.serve.uploads import UploadError, receive_upload, sender_gone


class Sender:
    """A request that comes in parts. `sent` counts those that were asked for."""

    def __init__(self, parts: Iterable[bytes], *, ends: str = "whole", length: int | None = None) -> None:
        self.sent = 0
        self._messages = self._all(parts, ends)
        headers = [(b"content-type", b"Image/PNG; charset=x")]
        if length is not None:
            headers.append((b"content-length", str(length).encode()))
        self.request = Request({"type": "http", "headers": headers}, self._next)

    async def _next(self) -> Message:
        self.sent += 1
        return await anext(self._messages)

    async def _all(self, parts: Iterable[bytes], ends: str) -> AsyncIterator[Message]:
        for part in parts:
            yield {"type": "http.request", "body": part, "more_body": True}
        if ends == "never":
            await asyncio.Event().wait()
        if ends == "whole":
            yield {"type": "http.request", "body": b"", "more_body": False}
        yield {"type": "http.disconnect"}


def receive(sender: Sender, most: int = 100, seconds: float = 20) -> bytes:
    return asyncio.run(receive_upload(sender.request, most, seconds))


def refused(sender: Sender, **limits: float) -> tuple[int, str]:
    with pytest.raises(UploadError) as error:
        receive(sender, **limits)  # type: ignore[arg-type]
    return error.value.status, str(error.value)


def test_parts_are_joined() -> None:
    assert receive(Sender([b"x" * 40, b"y" * 60])) == b"x" * 40 + b"y" * 60


def test_a_length_that_is_too_large_is_refused_before_anything_is_received() -> None:
    sender = Sender([b"x"], length=101)
    assert refused(sender) == (413, "the image has 101 bytes, expected 100 or fewer")
    assert sender.sent == 0


@pytest.mark.parametrize("length", [None, 1])
def test_an_upload_without_end_is_left_at_the_limit(length: int | None) -> None:
    sender = Sender((b"x" * 10 for _ in iter(int, 1)), length=length)
    assert refused(sender) == (413, "the image has more than 100 bytes")
    assert sender.sent == 11


def test_an_upload_that_stalls_is_left() -> None:
    sender = Sender([b"x"], ends="never")
    assert refused(sender, seconds=0.05) == (408, "the image was not here after 0.05 seconds")


def test_a_sender_that_goes_stops_the_search() -> None:
    with pytest.raises(SearchStoppedError):
        receive(Sender([b"x"], ends="gone"))


def test_it_is_seen_when_the_sender_goes_after_the_upload() -> None:
    async def go() -> None:
        sender = Sender([b"x"])
        await receive_upload(sender.request, 100)
        await asyncio.wait_for(sender_gone(sender.request), 20)

    asyncio.run(go())
