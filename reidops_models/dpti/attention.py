"""Attention with a feed-forward network, eq. 1 to 4: over the locations of a map, and from templates to a map."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

FEED_FORWARD_DROPOUT = 0.1  # sec. 4.2
ATTENTION_DROPOUT = 0.2


class AttentionEncoder(nn.Module):
    r"""Eq. 1 to 4, with several heads; vectors are rows here, and columns in the paper.

    .. math::
        q_i = W_q f_i, \quad K = W_k C, \quad V = W_v C \\
        g_i = V \, \mathrm{softmax}(K^T q_i / \sqrt{d_k}) \\
        a_i = \mathrm{FFN}(g_i + f_i) + g_i

    Each head has its own :math:`d_k = d / heads` of the d dimensions. As printed, nothing projects what the heads
    give, and nothing is normalised.

    Args:
        dimensions: d.
        heads: of the attention.
        width: of the hidden layer of FFN, which the paper does not give.

    Example:
        >>> import torch
        >>> encoder = AttentionEncoder(256, heads=8, width=1024)
        >>> locations = torch.rand(2, 128, 256)
        >>> encoder(locations, locations).shape
        torch.Size([2, 128, 256])
    """

    def __init__(self, dimensions: int, *, heads: int, width: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(dimensions, dimensions, bias=False)
        self.key = nn.Linear(dimensions, dimensions, bias=False)
        self.value = nn.Linear(dimensions, dimensions, bias=False)
        self.feed_forward = nn.Sequential(
            nn.Linear(dimensions, width),
            nn.ReLU(inplace=True),
            nn.Dropout(FEED_FORWARD_DROPOUT),
            nn.Linear(width, dimensions),
            nn.Dropout(FEED_FORWARD_DROPOUT),
        )

    def forward(self, features: Tensor, context: Tensor) -> Tensor:
        """Features f (B, M, d) that attend to the context C (B, L, d) -> a (B, M, d); f and C are one and the same in
        self-attention."""
        attended = F.scaled_dot_product_attention(
            self._split(self.query(features)),
            self._split(self.key(context)),
            self._split(self.value(context)),
            dropout_p=ATTENTION_DROPOUT if self.training else 0.0,
        )
        gathered = attended.transpose(1, 2).flatten(2)
        out: Tensor = self.feed_forward(gathered + features) + gathered
        return out

    def weights(self, features: Tensor, context: Tensor) -> Tensor:
        """(B, M, L) how much each feature attends to each of the context, eq. 2, the mean over the heads."""
        queries, keys = self._split(self.query(features)), self._split(self.key(context))
        return (queries @ keys.mT / queries.shape[-1] ** 0.5).softmax(dim=-1).mean(dim=1)

    def _split(self, vectors: Tensor) -> Tensor:
        """(B, M, d) -> (B, heads, M, d / heads)."""
        return vectors.unflatten(2, (self.heads, -1)).transpose(1, 2)
