"""FlopCounterMode against counts by hand."""

from __future__ import annotations

import torch
from torch.utils.flop_counter import FlopCounterMode

import reidops

PAIRS, CHANNELS, SIZE, TAPS = 10, 3, 8 * 6, 3 * 2  # of two maps and five templates
CORRELATION = 2 * PAIRS * CHANNELS * SIZE * TAPS
SAMPLES = PAIRS * CHANNELS * 4 * 5  # of two images, each under five maps


def test_depthwise_xcorr_and_its_backward() -> None:
    search = torch.rand(2, 1, CHANNELS, 8, 6, requires_grad=True)
    template = torch.rand(5, CHANNELS, 3, 2, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        result = reidops.depthwise_xcorr(search, template)
    assert counter.get_total_flops() == CORRELATION
    with FlopCounterMode(display=False) as counter:
        result.sum().backward()
    assert counter.get_total_flops() == 2 * CORRELATION


def test_affine_sample_and_its_backward() -> None:
    input, theta = torch.rand(2, 1, CHANNELS, 8, 6, requires_grad=True), torch.rand(2, 5, 2, 3, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        result = reidops.affine_sample(input, theta, (4, 5))
    assert counter.get_total_flops() == 2 * 4 * SAMPLES
    with FlopCounterMode(display=False) as counter:
        result.sum().backward()
    assert counter.get_total_flops() == 2 * (4 + 6) * SAMPLES


def test_projected_xcorr() -> None:
    given = torch.rand(2, 1, CHANNELS, 8, 6), torch.rand(5, 2, CHANNELS, 3, 2), torch.rand(4, 2, CHANNELS)
    with FlopCounterMode(display=False) as counter:
        reidops.projected_xcorr(*given)
    assert counter.get_total_flops() == 2 * CORRELATION + 2 * PAIRS * 4 * SIZE * 2 * CHANNELS


def test_the_lasso_counts_its_products_and_one_more_a_column() -> None:
    channels, columns, atoms = 6, 3, 4
    x, y = torch.rand(channels, columns), torch.rand(channels, atoms)
    with FlopCounterMode(display=False) as counter:
        reidops.sparse_reconstruct(x, y)
    products = 2 * channels * atoms * (columns + atoms)
    assert counter.get_total_flops() == products + 2 * columns * atoms


def test_dsr_distance_counts_products_and_half_of_each_gram() -> None:
    probe, gallery = torch.rand(2, 6, 3, 2), torch.rand(5, 6, 4, 2)
    products, grams = 2 * (2 * 6) * (5 * 8) * 6, 5 * 6 * 8 * 9
    solver = 2 * (2 * 6) * (5 * 8)
    with FlopCounterMode(display=False) as counter:
        reidops.dsr_distance(probe, gallery)
    assert counter.get_total_flops() == products + grams + solver
    dictionaries = reidops.prepare_gallery(gallery)
    with FlopCounterMode(display=False) as counter:
        reidops.dsr_distance(probe, dictionaries)
    assert counter.get_total_flops() == products + solver
