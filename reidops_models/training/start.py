"""Go on from a trained network: the weights that a fine-tuning starts from."""

from __future__ import annotations

import logging
from pathlib import Path

from torch import nn

from reidops_models.checkpoint import CheckpointError, load_checkpoint
from reidops_models.weights import listed, state_mismatch

logger = logging.getLogger(__name__)


def load_start(network: nn.Module, path: str | Path, *, model: str) -> None:
    """Fill a network with a checkpoint's weights, in place.

    The weights of a network that belong to its training identities (`Paper.is_identity_weight`) are left as they are
    where the checkpoint has another number of identities, because people that were not trained on before have no
    weights. A logged warning names these weights. Everything else must fit.

    Args:
        network: new.
        path: of the checkpoint.
        model: the paper's name; a checkpoint of another is an error.

    Raises:
        CheckpointError: the checkpoint cannot be loaded, is of another model, or does not fit.

    Example:
        >>> from reidops_models.checkpoint import shipped_checkpoint
        >>> from reidops_models.dsr import DsrNetwork
        >>> from reidops_models.dsr.recipe import NetworkOptions
        >>> network = DsrNetwork(NetworkOptions(backbone="resnet_slim"), identities=152)
        >>> load_start(network, shipped_checkpoint("dsr"), model="dsr")
    """
    start = load_checkpoint(path, model=model)
    expected, found = network.state_dict(), start.network.state_dict()
    anew = [
        name
        for name, value in expected.items()
        if start.paper.is_identity_weight(name) and name in found and found[name].shape != value.shape
    ]
    found |= {name: expected[name] for name in anew}
    if complaint := state_mismatch(expected, found):
        raise CheckpointError(f"{path}: the weights do not fit the recipe's network: {complaint}")
    if anew:
        logger.warning(
            "%s: trained on %d identities, not as many as here, so these weights start anew: %s",
            path,
            start.identities,
            listed(anew),
        )
    network.load_state_dict(found)
