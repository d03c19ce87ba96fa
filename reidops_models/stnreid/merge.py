"""Merge Mode, sec. 3.2: the STN module of one training and the ReID module of another in one network.

`reidops merge` does it for files.
"""

from __future__ import annotations

from dataclasses import replace

from reidops_models.checkpoint import Checkpoint, CheckpointError
from reidops_models.stnreid.network import StnreidNetwork


def merge(stn: Checkpoint, reid: Checkpoint) -> Checkpoint:
    """STNReID(MM): `reid` with the localisation network of `stn`. Pipeline Mode goes on training from there.

    Args:
        stn: the first stage's, of a weak ReID module.
        reid: any trained on images of the same size, with an STN module or without; its recipe is kept.

    Returns:
        A new network; the two given are left as they are.

    Raises:
        CheckpointError: one of another model, or localisation networks of two sizes.

    Example:
        >>> merged = merge(load_checkpoint("runs/stage1/model"), load_checkpoint("runs/strong/model"))  # doctest: +SKIP
    """
    for checkpoint in (stn, reid):
        if not isinstance(checkpoint.network, StnreidNetwork):
            raise CheckpointError(f"merge: expected checkpoints of stnreid, got one of {checkpoint.recipe.model}")
    assert isinstance(stn.network, StnreidNetwork)
    assert isinstance(reid.network, StnreidNetwork)
    if stn.network.image_size != reid.network.image_size:
        raise CheckpointError(
            f"merge: expected images of one size, got {stn.network.image_size} for the STN module and "
            f"{reid.network.image_size} for the ReID module"
        )
    if stn.network.align_corners != reid.network.align_corners:
        raise CheckpointError("merge: expected one convention of align_corners, got both")
    network = StnreidNetwork(reid.recipe.network, reid.network.image_size, reid.identities)  # type: ignore[attr-defined]
    network.load_state_dict(reid.network.state_dict())
    network.localisation.load_state_dict(stn.network.localisation.state_dict())
    return replace(reid, network=network.eval(), notes={**reid.notes, "stn": stn.notes})
