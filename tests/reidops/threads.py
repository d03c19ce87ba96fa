"""Calls with other numbers of threads than the process has."""

from __future__ import annotations

from collections.abc import Iterator

import torch


def with_threads(*counts: int) -> Iterator[int]:
    """Each of these numbers of threads in turn, set while the caller's loop works on it; afterwards the former one."""
    before = torch.get_num_threads()
    try:
        for count in counts:
            torch.set_num_threads(count)
            yield count
    finally:
        torch.set_num_threads(before)
