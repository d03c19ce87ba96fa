"""Body joints of images by a maintained pose package (rtmlib, RTMPose): needs the extra `reidops[pose]`.

Only training MGRe needs joints, and those of any other estimator will do that writes COCO's format.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from reidops_models.devices import DeviceError

WEIGHTS = (
    "https://download.openmmlab.com/mmpose/v1/projects/rtmposev1/onnx_sdk/"
    "rtmpose-m_simcc-body7_pt-body7_420e-256x192-e48f03d0_20230504.zip"
)
INPUT = (192, 256)  # width and height, as the package wants them
GPU_PROVIDER = "CUDAExecutionProvider"  # of ONNX Runtime
MIN_SCORE = 0.3  # least score of a joint that counts as seen


class PoseError(ValueError):
    """The package or its weights are not there; the message is one line."""


class PoseEstimator:
    """RTMPose on images that show one person each.

    Args:
        weights: an ONNX file, or where to load one from; the package keeps what it has loaded.
        device: `auto`, `cpu` or `cuda`. What counts is where ONNX Runtime can compute, and not what torch sees.

    Raises:
        DeviceError: another device, or ONNX Runtime has no CUDA here.
        PoseError: the package is not installed, or there are no weights.

    Example:
        >>> estimate = PoseEstimator()  # doctest: +SKIP
        >>> estimate(read_image("person.jpg")).shape  # doctest: +SKIP
        torch.Size([17, 3])
    """

    def __init__(self, weights: str | Path = WEIGHTS, device: str = "auto") -> None:
        try:
            from onnxruntime import get_available_providers
            from rtmlib import RTMPose
        except ImportError as error:
            raise PoseError(f"the pose package rtmlib is missing ({error}): pip install 'reidops[pose]'") from error
        chosen = _device(device, get_available_providers())
        try:
            self._model = RTMPose(onnx_model=str(weights), model_input_size=INPUT, device=chosen)
        except Exception as error:  # of the network, the archive, or the runtime
            reason = " ".join(str(error).split()) or type(error).__name__
            raise PoseError(f"{weights}: no weights of a pose estimator there: {reason}") from error

    def __call__(self, image: Tensor) -> Tensor:
        """Joints of one image.

        Args:
            image: (3, H, W) RGB in [0, 1].

        Returns:
            (17, 3): x and y in pixels, and v: 2 where the estimator is sure of the joint, 0 where it is not.
        """
        colours = image.flip(0).mul(255).round().byte().permute(1, 2, 0).contiguous().numpy()  # blue first
        points, scores = self._model(colours)
        seen = torch.as_tensor(scores[0], dtype=torch.float32) >= MIN_SCORE
        places = torch.as_tensor(points[0], dtype=torch.float32)
        return torch.cat((places, 2.0 * seen[:, None]), dim=1) * seen[:, None]


def _device(device: str, providers: Sequence[str]) -> str:
    if device not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"expected auto, cpu or cuda for the pose package, got {device!r}")
    if device == "cuda" and GPU_PROVIDER not in providers:
        raise DeviceError(f"no cuda for the pose package: ONNX Runtime has {', '.join(providers)} (onnxruntime-gpu)")
    if device == "auto":
        return "cuda" if GPU_PROVIDER in providers else "cpu"
    return device
