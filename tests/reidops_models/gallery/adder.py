"""Adds pictures to a gallery in a process of its own, which kills itself where it is told to.

    python adder.py GALLERY CHECKPOINT PICTURES COMMIT WHERE NUMBER

COMMIT is the number of pictures in a commit. WHERE is `before`, `within` or `after` commit NUMBER (from 0), or `never`.
`within` a commit everything is written but the new version itself.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from reidops_models import Gallery
from reidops_models.gallery.store import Store


def main(gallery: str, checkpoint: str, pictures: str, commit: str, where: str, number: str) -> None:
    real, done = Store.commit, 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def commit_and_die(self: Store, rows: Any) -> bool:
        nonlocal done
        if done == int(number) and where == "before":
            die()
        if done == int(number) and where == "within":
            merge = self.dataset.merge_insert("number").when_matched_update_all().when_not_matched_insert_all()
            merge.execute_uncommitted(rows)
            die()
        found = real(self, rows)
        if done == int(number) and where == "after":
            die()
        done += 1
        return found

    Store.commit = commit_and_die  # type: ignore[method-assign]
    opened = Gallery.build(gallery, (), checkpoint)
    print("ready", flush=True)
    sys.stdin.readline()  # until the test says so
    print(opened.add(pictures, commit=int(commit)))


if __name__ == "__main__":
    main(*sys.argv[1:])
