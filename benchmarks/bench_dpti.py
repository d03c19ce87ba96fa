"""DPTI's price: descriptors a second against a plain ResNet-50 forward, and against the same with a last stride of 1.

The floor is the trunk that DPTI uses, ResNet-50 with a last stride of 1, and the average of its maps; the baseline is
ResNet-50 as it comes, with a last stride of 2.

    pytest benchmarks/bench_dpti.py --benchmark-only --benchmark-json=results.json
    python -m benchmarks.table results.json
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reidops_models.backbones import build_backbone
from reidops_models.dpti import DptiNetwork
from reidops_models.dpti.recipe import NetworkOptions

SIZE = (256, 128)
BATCHES = (1, 16)
every_batch = pytest.mark.parametrize("batch", BATCHES)


class Pooled(nn.Module):
    """ResNet-50 and the average of its maps."""

    def __init__(self, last_stride: int) -> None:
        super().__init__()
        self.backbone = build_backbone("resnet50", last_stride=last_stride)

    def forward(self, images: Tensor) -> Tensor:
        return self.backbone(images).mean(dim=(2, 3))


def measure(benchmark: Any, network: nn.Module, batch: int) -> Tensor:
    """One forward of a batch."""
    network.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # an overload that torch forgot
    images = torch.rand(batch, 3, *SIZE).contiguous(memory_format=torch.channels_last)
    benchmark.group = f"DPTI, 256x128, {batch} image{'s' if batch > 1 else ''}"
    benchmark.extra_info.update(images=batch, threads=torch.get_num_threads())
    with torch.inference_mode():
        found: Tensor = benchmark.pedantic(lambda: network(images), rounds=9 if batch > 1 else 25, warmup_rounds=2)
    return found


@every_batch
def test_floor_trunk_with_last_stride_1(benchmark: Any, batch: int) -> None:
    torch.manual_seed(0)
    assert measure(benchmark, Pooled(1), batch).shape == (batch, 2048)


@every_batch
def test_plain_resnet50(benchmark: Any, batch: int) -> None:
    torch.manual_seed(0)
    assert measure(benchmark, Pooled(2), batch).shape == (batch, 2048)


@every_batch
def test_global_descriptor_alone(benchmark: Any, batch: int) -> None:
    """G of table 4: one self-attention on the last maps."""
    torch.manual_seed(0)
    network = DptiNetwork(NetworkOptions(backbone="resnet50", templates="none"), SIZE, identities=1)
    assert measure(benchmark, network, batch).shape == (batch, 256)


@every_batch
def test_dpti(benchmark: Any, batch: int) -> None:
    torch.manual_seed(0)
    network = DptiNetwork(NetworkOptions(backbone="resnet50"), SIZE, identities=1)
    assert measure(benchmark, network, batch).shape == (batch, 2304)
