"""The numbers that the DPTI paper printed, per cent."""

from __future__ import annotations

PAPER = "paper"

# Rank 1, rank 5, mAP and mINP, by variant and by our name of the probes: Market-1501, Occluded-REID, Partial-REID.
TABLE_4 = {
    "G": {
        "holistic": (93.4, 97.9, 82.9, 53.6),
        "occluded": (59.5, 75.4, 52.8, 38.0),
        "partial": (79.0, 90.3, 72.4, 58.8),
    },
    "G + P": {
        "holistic": (92.3, 97.5, 79.6, 43.4),
        "occluded": (69.9, 84.6, 63.5, 49.4),
        "partial": (47.3, 68.7, 44.9, 32.9),
    },
    "G + T": {
        "holistic": (94.0, 98.1, 87.0, 62.2),
        "occluded": (70.2, 83.8, 66.0, 53.6),
        "partial": (78.0, 89.7, 72.3, 59.3),
    },
    "G + D": {
        "holistic": (95.0, 98.2, 86.3, 60.7),
        "occluded": (71.3, 86.4, 67.4, 55.1),
        "partial": (81.3, 91.7, 76.2, 64.2),
    },
    "G + D + W": {
        "holistic": (94.7, 98.3, 85.8, 59.4),
        "occluded": (71.9, 85.7, 66.3, 53.1),
        "partial": (81.0, 90.7, 76.0, 63.5),
    },
}

# Rank 1, 5 and 10, mAP and mINP on Market-1501; its ResNet-50 is table 4's G + D + W. As printed: OSNet's rank 10 is
# below its rank 5, which cannot be.
TABLE_5 = {
    "ResNet-50": (94.7, 98.3, 98.9, 85.8, 59.4),
    "ResNet-50 with IBN": (94.8, 98.2, 99.0, 87.1, 63.1),
    "OSNet": (94.4, 98.3, 98.2, 86.7, 62.3),
    "ResNet-18": (93.1, 97.9, 98.9, 81.7, 50.2),
}
