"""Training of CSN, eq. 6: pairs classified and ranked, and the prior of the parts."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from reidops_models.csn.losses import contrastive_loss, prior_losses
from reidops_models.csn.network import CsnNetwork
from reidops_models.csn.pairs import CsnPairBatch
from reidops_models.csn.recipe import CsnRecipe
from reidops_models.training.module import ReidModule


class PairModule(ReidModule):
    """L = L_cls + weight L_ctr (eq. 6), and the prior of theta. Logs every term, and the accuracy on pairs."""

    def __init__(self, network: CsnNetwork, recipe: CsnRecipe) -> None:
        super().__init__(network, recipe)
        self.objective = recipe.objective

    def training_step(self, batch: CsnPairBatch, index: int) -> Tensor:  # type: ignore[override]  # batches of pairs
        network, weights = self.network, self.objective
        assert isinstance(network, CsnNetwork)
        described = network.describe(batch.images)
        one, other = (described[side] for side in batch.pairs.unbind(dim=1))
        logits = network.compare(one, other)
        ranking = contrastive_loss(one.vectors, other.vectors, batch.matched, margin=weights.margin)
        prior, rotation = prior_losses(described.theta)
        # Eq. 3 as printed has no logarithm; what it is called, the softmax loss, has.
        classification = F.cross_entropy(logits, batch.matched.long())
        loss = classification + weights.ranking * ranking + weights.prior * prior + weights.rotation * rotation
        right = (logits.argmax(dim=1) == batch.matched).float().mean()
        values = {"loss": loss, "accuracy": right, "loss/classification": classification, "loss/ranking": ranking}
        values |= {"loss/prior": prior, "loss/rotation": rotation}
        logged = {name: value.detach() for name, value in values.items()}
        self.log_dict(
            logged, prog_bar=True, on_step=False, on_epoch=True, sync_dist=True, batch_size=len(batch.matched)
        )
        return loss
