"""Go on from a trained network: the weights that a fine-tuning starts from."""

from __future__ import annotations

import logging
from pathlib import Path

from torch import nn

from reidops_models.checkpoint import CheckpointError, load_checkpoint
from reidops_models.state import misfits

CLASSIFIER = "classifier."  # the layer whose size is the number of training identities
logger = logging.getLogger(__name__)


def load_start(network: nn.Module, path: str | Path, *, model: str) -> None:
    """Fill a network with a checkpoint's weights, in place.

    A classifier of another number of identities is left as it is, and a warning logged: people that were not trained
    on before have no weights. Everything else must fit.

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
    changed = [
        name
        for name, value in expected.items()
        if name.startswith(CLASSIFIER) and name in found and found[name].shape != value.shape
    ]
    found |= {name: expected[name] for name in changed}
    if complaint := misfits(expected, found):
        raise CheckpointError(f"{path}: the weights do not fit the recipe's network: {complaint}")
    if changed:
        logger.warning("%s: of %d identities; the classifier starts anew for others", path, start.identities)
    network.load_state_dict(found)
