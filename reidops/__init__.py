"""Operators for person re-identification, on CPU and CUDA.

The names in ``__all__`` are all that is public. ``reidops.reference`` has the same operators in plain torch.
"""

from . import _library as _library  # first: it loads the compiled operators that the others wrap
from . import reference
from ._config import show_config
from ._dsr.dictionaries import Dictionaries, concatenate
from ._dsr.distance import CertifiedDistance, dsr_distance
from ._dsr.preparation import prepare_gallery
from ._dsr.topk import TopDistances, dsr_topk
from ._ops import flops as _flops  # noqa: F401  torch counts by it
from ._ops.affine_sample import affine_sample, boxes_to_theta
from ._ops.depthwise_xcorr import depthwise_xcorr
from ._ops.projected_xcorr import projected_xcorr
from ._ops.sparse_reconstruct import SparseReconstruction, sparse_reconstruct
from ._version import __version__

__all__ = [
    "CertifiedDistance",
    "Dictionaries",
    "SparseReconstruction",
    "TopDistances",
    "__version__",
    "affine_sample",
    "boxes_to_theta",
    "concatenate",
    "depthwise_xcorr",
    "dsr_distance",
    "dsr_topk",
    "prepare_gallery",
    "projected_xcorr",
    "reference",
    "show_config",
    "sparse_reconstruct",
]
