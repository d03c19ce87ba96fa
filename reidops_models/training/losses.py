"""Losses by the names recipes use: identity classification, and the two pairwise ones."""

from __future__ import annotations

from collections.abc import Callable

from pytorch_metric_learning.losses import ContrastiveLoss, TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner
from torch import Tensor, nn
from torch.nn import functional as F

from reidops_models import recipe

Term = Callable[[Tensor, Tensor, Tensor], Tensor]


class CrossEntropy(nn.Module):
    """Softmax cross-entropy of the identity logits, with label smoothing."""

    def __init__(self, options: recipe.Loss) -> None:
        super().__init__()
        self.label_smoothing = options.label_smoothing

    def forward(self, logits: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing)


class Triplet(nn.Module):
    """Triplet margin loss on each image's hardest positive and negative of the batch; Euclidean, not normalised."""

    def __init__(self, options: recipe.Loss) -> None:
        super().__init__()
        self.loss = TripletMarginLoss(margin=options.margin)
        self.miner = BatchHardMiner()
        for part in (self.loss, self.miner):
            part.distance.normalize_embeddings = False

    def forward(self, logits: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        loss: Tensor = self.loss(features, labels, self.miner(features, labels))
        return loss


class Contrastive(nn.Module):
    """Contrastive loss on l2-normalised features: positives pulled together, negatives pushed beyond the margin."""

    def __init__(self, options: recipe.Loss) -> None:
        super().__init__()
        self.loss = ContrastiveLoss(pos_margin=0, neg_margin=options.margin)

    def forward(self, logits: Tensor, features: Tensor, labels: Tensor) -> Tensor:
        loss: Tensor = self.loss(features, labels)
        return loss


LOSSES: dict[str, Callable[[recipe.Loss], nn.Module]] = {
    "cross_entropy": CrossEntropy,
    "triplet": Triplet,
    "contrastive": Contrastive,
}
