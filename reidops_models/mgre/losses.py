"""The location loss, eq. 3."""

from __future__ import annotations

from torch import Tensor


def location_loss(boxes: Tensor, targets: Tensor, there: Tensor) -> Tensor:
    """L_loc, eq. 3: the squared errors of a box's four edges, added; the mean over the regions that have a target.

    The paper adds its margin of 0.05, which is of an image whose joints are in [0, 1], to edges that eq. 2 gives in
    pixels of a map. Here everything is in shares of the image; the margin is in the targets
    (:func:`reidops_models.mgre.regions.region_boxes`).

    Args:
        boxes: (B, R, 4) predicted edges: left, top, right, bottom.
        targets: (B, R, 4) edges of the joints' hull and its margin.
        there: (B, R) whether a region has a target; where not, it has no loss and no gradient.

    Returns:
        A scalar; 0 where no region has a target.

    Raises:
        ValueError: shapes that do not match.

    Example:
        >>> import torch
        >>> boxes = torch.tensor([[[0.1, 0.0, 0.9, 1.0], [0.0, 0.0, 0.0, 0.0]]])
        >>> targets = torch.tensor([[[0.0, 0.0, 1.0, 1.0], [9.0, 9.0, 9.0, 9.0]]])
        >>> location_loss(boxes, targets, torch.tensor([[True, False]]))
        tensor(0.0200)
    """
    if boxes.shape != targets.shape or boxes.shape[:-1] != there.shape or boxes.shape[-1] != 4:
        raise ValueError(
            f"location_loss: expected boxes and targets (B, R, 4) and there (B, R), got {tuple(boxes.shape)}, "
            f"{tuple(targets.shape)} and {tuple(there.shape)}"
        )
    errors = (boxes - targets).square().sum(dim=2)
    return errors.where(there, 0).sum() / there.sum().clamp(min=1)
