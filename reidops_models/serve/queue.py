"""Searches wait for each other: there is one network, and one search takes all cores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from threading import Event
from typing import Any, TypeVar

T = TypeVar("T")


class QueueFullError(Exception):
    """As many searches are running or waiting as there may be."""


class SearchStoppedError(Exception):
    """Nobody waits for this search any more."""


class SearchQueue:
    """Lets one search run at a time, first come, first served, and few wait.

    Args:
        places: searches that may run, wait or be received at a time.
    """

    def __init__(self, places: int) -> None:
        self.places = places
        self._taken = 0
        self._turn = asyncio.Lock()
        self._waited_for: set[asyncio.Future[Any]] = set()

    def close(self) -> None:
        """Stop what runs and what waits, because the server ends."""
        for left in self._waited_for:
            left.cancel()

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Take one of the places, before anything is received.

        Raises:
            QueueFullError: there is none.
        """
        if self._taken >= self.places:
            raise QueueFullError
        self._taken += 1
        try:
            yield
        except asyncio.CancelledError:  # the server does not wait any longer
            raise SearchStoppedError from None
        finally:
            self._taken -= 1

    async def run(self, work: Callable[[Event], T], gone: Awaitable[object]) -> T:
        """Do work in a thread, when it is its turn.

        Args:
            work: is given an event. Once that is set, nobody wants the result, and the work should stop soon, by
                raising :class:`SearchStoppedError`.
            gone: is done as soon as nobody waits any more.

        Raises:
            SearchStoppedError: nobody waits any more, or the server ends. The work has stopped, or has not begun.
        """
        stop = Event()
        left = asyncio.ensure_future(gone)
        left.add_done_callback(lambda _: stop.set())
        self._waited_for.add(left)
        try:
            async with self._in_turn(left):
                return await asyncio.to_thread(work, stop)
        finally:
            stop.set()
            left.cancel()
            self._waited_for.discard(left)

    @asynccontextmanager
    async def _in_turn(self, left: asyncio.Future[Any]) -> AsyncIterator[None]:
        turn: asyncio.Future[Any] = asyncio.ensure_future(self._turn.acquire())
        try:
            await asyncio.wait([turn, left], return_when=asyncio.FIRST_COMPLETED)
            if not turn.done():
                raise SearchStoppedError
            yield
        finally:
            if not turn.cancel():  # it has been our turn
                self._turn.release()
