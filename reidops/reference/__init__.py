"""Pure-torch twins of the operators: baseline, fallback and oracle in one.  Plain before fast, on any device.

Nothing here imports the rest of ``reidops``, so that an oracle never shares a mistake with what it judges.
"""

from __future__ import annotations

from .affine_sample import affine_sample, affine_sample_backward
from .channel_product import channel_gram, channel_product
from .depthwise_xcorr import depthwise_xcorr
from .dsr import dsr_distance
from .feature_sign import feature_sign
from .fista import fista
from .projected_xcorr import projected_xcorr
from .sparse_reconstruct import ridge, sparse_reconstruct
from .sparse_reconstruct_gram import sparse_reconstruct_gram
from .weighted_sums import weighted_sums

__all__ = [
    "affine_sample",
    "affine_sample_backward",
    "channel_gram",
    "channel_product",
    "depthwise_xcorr",
    "dsr_distance",
    "feature_sign",
    "fista",
    "projected_xcorr",
    "ridge",
    "sparse_reconstruct",
    "sparse_reconstruct_gram",
    "weighted_sums",
]
