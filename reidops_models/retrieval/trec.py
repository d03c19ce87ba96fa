"""Rankings for the programs of information retrieval: TREC's run and qrels files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from reidops_models.evaluation.protocol import Protocol
from reidops_models.files import replacing
from reidops_models.retrieval.distance_files import BLOCK, DistanceFile

ERRORS = "backslashreplace"  # a file name may not be UTF-8


def write_trec(folder: str | Path, content: DistanceFile) -> list[Path]:
    """Write `qrels`, which image is right for which probe, and `METHOD.run`, the ranking of each method.

    They hold Market-1501's rule: junk, and images of the probe's person by the probe's camera, are in neither. Probes
    without a right image are left out, because they are in no mean. The score of an image is minus its rank, and not
    its distance, because those programs break ties in their own way and read scores in float32. So trec_eval,
    ir-measures and ranx find the same mean average precision (`map`) and rank-k (`success_k`).

    Args:
        folder: is made where it is missing.
        content: distances, labels and names; a space in a name becomes %20.

    Returns:
        The files.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    names = [[name.replace(" ", "%20") for name in side] for side in (content.probe_names, content.gallery_names)]
    probes, gallery = names
    labels = content.labels
    protocol = Protocol("write_trec", labels.gallery_pids, labels.gallery_camids)
    pids, camids = protocol.read_probes(labels.probe_pids, labels.probe_camids)
    own = [protocol.own_images(*probe) for probe in zip(pids.tolist(), camids.tolist(), strict=True)]
    files = [folder / "qrels"]
    with replacing(files[0]) as unfinished, unfinished.open("w", encoding="utf-8", errors=ERRORS) as file:
        for probe, images in zip(probes, own, strict=True):
            file.writelines(f"{probe} 0 {gallery[place]} 1\n" for place in images.right.tolist())

    def lines(name: str) -> Iterator[str]:
        tag = name.replace(" ", "-")
        for rows, block in content.tables[name].blocks(BLOCK):
            for probe, row in enumerate(block.numpy(), start=rows.start):
                if not len(own[probe].right):
                    continue
                kept = np.ones(len(row), bool)
                kept[protocol.junk] = kept[own[probe].removed] = False
                order = np.argsort(row, kind="stable")
                for rank, place in enumerate(order[kept[order]].tolist(), start=1):
                    yield f"{probes[probe]} Q0 {gallery[place]} {rank} {-rank} {tag}\n"

    for name in content.tables:
        files.append(folder / f"{name.lower().replace(' ', '-').replace('/', '-')}.run")
        with replacing(files[-1]) as unfinished, unfinished.open("w", encoding="utf-8", errors=ERRORS) as file:
            file.writelines(lines(name))
    return files
