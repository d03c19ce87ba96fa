"""Files that are there whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside `path` to write into. It takes the place of `path` at the end, unless the writing fails.

    Whatever was at `path` stays until then, so an interruption loses nothing. What was begun stays beside it, with
    `.part` at the end of its name.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "notes.txt"
        >>> with replacing(target) as unfinished:
        ...     _ = unfinished.write_text("whole")
        >>> target.read_text(), unfinished.exists()
        ('whole', False)
    """
    unfinished = path.with_name(path.name + ".part")
    yield unfinished
    unfinished.replace(path)
