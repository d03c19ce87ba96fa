"""Which checkpoint a gallery belongs to: what is in it, not where it is."""

from __future__ import annotations

import hashlib
import json

from reidops_models.checkpoint import Checkpoint


def checkpoint_identity(checkpoint: Checkpoint) -> str:
    """A SHA-256 of a checkpoint's weights and recipe, as 64 hexadecimal digits.

    Copies of a checkpoint have the same one, wherever they are. The recipe's `matching` section does not count,
    because it says how pictures are compared, not what is kept of them: `--beta` searches the same gallery.

    Example:
        >>> from reidops_models import load_checkpoint
        >>> from reidops_models.checkpoint import shipped_checkpoint
        >>> loaded = load_checkpoint(shipped_checkpoint("dpti"))
        >>> len(checkpoint_identity(loaded)), checkpoint_identity(loaded) == checkpoint_identity(loaded)
        (64, True)
    """
    recipe = checkpoint.recipe.model_dump(mode="json")
    recipe.pop("matching", None)
    found = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode())
    for name, value in sorted(checkpoint.network.state_dict().items()):
        found.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        found.update(value.detach().cpu().contiguous().flatten().numpy().tobytes())
    return found.hexdigest()
