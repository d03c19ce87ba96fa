"""One search at a time, few wait, and none goes on for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from threading import Event
from typing import Any

import pytest

from reidops_models.serve.queue import QueueFullError, SearchQueue, SearchStoppedError

SECONDS = 20  # after which a test has failed


def in_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), SECONDS))

    run.__name__ = test.__name__
    return run


async def stays() -> None:
    await asyncio.Event().wait()


async def started(event: Event) -> None:
    assert await asyncio.to_thread(event.wait, SECONDS)


@in_a_loop
async def test_searches_take_turns_in_order() -> None:
    queue = SearchQueue(3)
    begun, end = Event(), Event()
    order = []

    def work(name: str) -> Callable[[Event], str]:
        def run(stop: Event) -> str:
            begun.set()
            assert end.wait(SECONDS)
            order.append(name)
            return name

        return run

    tasks = [asyncio.create_task(queue.run(work(name), stays())) for name in "abc"]
    await started(begun)
    assert order == []
    end.set()
    assert await asyncio.gather(*tasks) == ["a", "b", "c"] == order


@in_a_loop
async def test_no_more_than_the_places_are_taken() -> None:
    queue = SearchQueue(2)
    async with queue.place():
        async with queue.place():
            with pytest.raises(QueueFullError):
                async with queue.place():
                    pass
        async with queue.place():
            pass


@in_a_loop
async def test_who_leaves_while_waiting_never_runs() -> None:
    queue = SearchQueue(3)
    begun, end = Event(), Event()
    ran = []
    left = asyncio.Event()

    def first(stop: Event) -> str:
        begun.set()
        assert end.wait(SECONDS)
        return "first"

    running = asyncio.create_task(queue.run(first, stays()))
    await started(begun)
    waiting = asyncio.create_task(queue.run(ran.append, left.wait()))
    last = asyncio.create_task(queue.run(lambda stop: "last", stays()))
    await asyncio.sleep(0)
    left.set()
    with pytest.raises(SearchStoppedError):
        await waiting
    end.set()
    assert [await running, await last] == ["first", "last"]
    assert ran == []


@in_a_loop
async def test_who_leaves_while_it_runs_stops_it_and_the_next_begins() -> None:
    queue = SearchQueue(3)
    begun = Event()
    left = asyncio.Event()

    def until_stopped(stop: Event) -> None:
        begun.set()
        assert stop.wait(SECONDS)
        raise SearchStoppedError

    running = asyncio.create_task(queue.run(until_stopped, left.wait()))
    await started(begun)
    left.set()
    with pytest.raises(SearchStoppedError):
        await running
    assert await queue.run(lambda stop: stop.is_set(), stays()) is False


@in_a_loop
async def test_an_error_reaches_its_own_caller_alone() -> None:
    queue = SearchQueue(3)

    def fails(stop: Event) -> None:
        raise ValueError("its own")

    found = await asyncio.gather(queue.run(fails, stays()), queue.run(lambda stop: 1, stays()), return_exceptions=True)
    assert repr(found) == "[ValueError('its own'), 1]"


@in_a_loop
async def test_the_end_of_the_server_stops_what_runs_and_what_waits() -> None:
    queue = SearchQueue(3)
    begun = Event()

    def until_stopped(stop: Event) -> None:
        begun.set()
        assert stop.wait(SECONDS)
        raise SearchStoppedError

    running = [asyncio.create_task(queue.run(until_stopped, stays())) for _ in range(2)]
    await started(begun)
    queue.close()
    found = await asyncio.gather(*running, return_exceptions=True)
    assert [type(one) for one in found] == [SearchStoppedError, SearchStoppedError]


@in_a_loop
async def test_who_is_cancelled_stops_what_runs() -> None:
    queue = SearchQueue(3)
    begun, ended = Event(), Event()

    def until_stopped(stop: Event) -> None:
        begun.set()
        assert stop.wait(SECONDS)
        ended.set()

    async def search() -> None:
        async with queue.place():
            await queue.run(until_stopped, stays())

    running = asyncio.create_task(search())
    await started(begun)
    running.cancel()
    with pytest.raises(SearchStoppedError):
        await running
    await started(ended)
