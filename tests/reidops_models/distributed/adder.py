"""Adds pictures to a gallery by a cluster's workers, in a process of its own, which kills itself where it is told to.

    python adder.py ADDRESS GALLERY CHECKPOINT PICTURES ROWS WHERE NUMBER

ROWS is the number of pictures in a fragment; each is committed by itself. WHERE is `within` or `after` commit NUMBER
(from 0). `within` a commit everything is written but the new version itself.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import lance

from reidops_models import Gallery
from reidops_models.distributed import add_pictures, connected


def main(address: str, gallery: str, checkpoint: str, pictures: str, rows: str, where: str, number: str) -> None:
    from reidops_models.distributed import indexing

    real, done = indexing.commit_fragments, 0

    def die(*_: Any, **__: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    def commit_and_die(*arguments: Any) -> bool:
        nonlocal done
        if done == int(number) and where == "within":
            lance.LanceDataset.commit = die
        found = real(*arguments)
        if done == int(number):
            die()
        done += 1
        return found

    indexing.commit_fragments = commit_and_die
    with connected(address):
        add_pictures(Gallery.open(gallery, checkpoint), pictures, rows=int(rows), every=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
