"""Fixtures of the operators' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.reidops.threads import with_threads


@pytest.fixture
def one_thread() -> Iterator[None]:
    """For many small calls: on a busy machine threads would wait for one another far longer than they compute."""
    for _ in with_threads(1):
        yield
