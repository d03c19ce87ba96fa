"""Adds pictures to a gallery by a cluster's workers, in a process of its own, which kills itself within a commit.

    python adder.py ADDRESS GALLERY CHECKPOINT PICTURES ROWS NUMBER

ROWS is the number of pictures in a fragment; each is committed by itself. In commit NUMBER (from 0) everything is
written but the new version itself.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import lance

from reidops_models import Gallery
from reidops_models.distributed import add_pictures, connected


def main(address: str, gallery: str, checkpoint: str, pictures: str, rows: str, number: str) -> None:
    real, done = lance.LanceDataset.commit, 0

    def commit_or_die(*arguments: Any, **options: Any) -> Any:
        nonlocal done
        if done == int(number):
            os.kill(os.getpid(), signal.SIGKILL)
        done += 1
        return real(*arguments, **options)

    lance.LanceDataset.commit = commit_or_die
    with connected(address):
        add_pictures(Gallery.open(gallery, checkpoint), pictures, rows=int(rows), every=0)


if __name__ == "__main__":
    main(*sys.argv[1:])
