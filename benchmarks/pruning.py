"""What exact top-k could leave out: how many pairs a lower bound of DSR's distance rules out, and at what cost.

    python -m benchmarks.pruning [--people N] [--k 1 10]

For unit columns x the error e and the objective P = e + beta |w|_1 of eq. 3 satisfy

    e >= h(P) = (1 - (1 - P)^1/2)^2,

since P = s^2 + 2 (x - rho)'rho <= s^2 + 2 s (1 - P)^1/2 with s^2 = e = ||rho||^2. P is convex in x: the mean of P over
four columns is at least P of their mean. Hence, where a share f of a probe's columns is solved, and averages of four
for the rest,

    d >= f mean(e of the solved) + (1 - f) h(mean P of the averages),

for f + (1 - f) / 4 of the products. A pair is pruned where this exceeds the k-th smallest distance of its probe. The
others are solved in full. The script draws people that no model has seen and embeds them with the model that ships. It
prints the share of pairs pruned, and what is left of the products.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from reidops import sparse_reconstruct
from reidops_models import load_checkpoint, load_dataset
from reidops_models.checkpoint import shipped_checkpoint
from reidops_models.data import read_image
from reidops_models.data.synthetic import SIZES, write_synthetic

BETA = 0.4
SHARES = (0.0, 0.25, 0.5)


def bound(error: Tensor, probe: Tensor, dictionary: Tensor, share: float) -> float:
    """The lower bound of one pair's distance: ``error (N,)`` of all columns, of which a share is looked at."""
    _, height, width = probe.shape
    solved = int(share * height)  # rows of the map from the top
    rest = probe[:, solved:]
    if not rest.numel():
        return float(error.mean())
    averages = F.avg_pool2d(rest[None], 2, ceil_mode=True, count_include_pad=False)[0]
    sizes = F.avg_pool2d(torch.ones_like(rest[None, :1]), 2, ceil_mode=True, divisor_override=1).flatten()
    columns = averages.flatten(1)
    w, own, _ = sparse_reconstruct(columns, dictionary, BETA)
    objective = (own + BETA * w.abs().sum(0)) / 1.0001  # the certified gap: P of the optimum is no less
    mean = float((objective * sizes).sum() / sizes.sum())
    least = (1 - (1 - min(mean, 1.0)) ** 0.5) ** 2
    total = height * width
    return (float(error[: solved * width].sum()) + (total - solved * width) * least) / total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=40)
    parser.add_argument("--k", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--probes", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        size = replace(SIZES["small"], train_people=4, test_people=options.people, validation_people=4, probe_images=1)
        dataset = load_dataset(write_synthetic(Path(folder) / "people", size, seed=1234))
        gallery_images = [read_image(one.path) for one in dataset.gallery]
        sizes = [(image.shape[1], image.shape[2]) for image in gallery_images]
        matcher = load_checkpoint(shipped_checkpoint("dsr")).matchers(sizes)[-1]
        gallery = matcher.embed(gallery_images)
        for kind, samples in (("whole", dataset.query), *dataset.extra_probes.items()):
            probes = matcher.embed([read_image(one.path) for one in samples[: options.probes]], role="probe")
            report(kind, probes, gallery, options.k)


def report(kind: str, probes: Sequence[Tensor], gallery: Sequence[Tensor], ks: list[int]) -> None:
    errors = [[sparse_reconstruct(p.flatten(1), g.flatten(1), BETA).error for g in gallery] for p in probes]
    table = torch.tensor([[float(one.mean()) for one in row] for row in errors])
    for k in ks:
        nearest = table.sort(dim=1).values
        spread = (nearest[:, len(gallery) // 2] / nearest[:, k - 1]).median()
        print(f"{kind}: {len(probes)} x {len(gallery)}, the median distance over the {k}-th: {spread:.2f}")
        for share in SHARES:
            bounds = torch.tensor(
                [[bound(e, p, g.flatten(1), share) for e, g in zip(row, gallery)] for row, p in zip(errors, probes)]
            )
            assert bool((bounds <= table + 1e-5).all())  # it is a bound
            pruned = float((bounds > nearest[:, k - 1 : k] + 1e-6).float().mean())
            looked = share + (1 - share) / 4
            # What was solved for the bound is not solved again; its averages were in vain.
            products = looked + (1 - pruned) * (1 - share)
            print(f"    {share:.2f} solved first: {pruned:.2f} of the pairs pruned, {products:.2f} of the products")


if __name__ == "__main__":
    main()
