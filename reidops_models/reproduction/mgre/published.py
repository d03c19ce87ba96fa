"""The numbers that the MGRe paper printed: mAP and rank 1 (and rank 5) in per cent; operations."""

from __future__ import annotations

MARKET, DUKE = "paper, Market-1501", "paper, DukeMTMC-reID"

# Rank 1 and mAP.
TABLE_4 = {
    "Baseline": {MARKET: (94.3, 85.8), DUKE: (86.5, 76.6)},
    "Baseline+1": {MARKET: (95.4, 89.0), DUKE: (90.1, 79.7)},
    "Baseline+2": {MARKET: (95.2, 89.0), DUKE: (90.6, 80.0)},
    "Baseline+3": {MARKET: (95.5, 88.8), DUKE: (90.1, 80.0)},
    "Baseline+2+3": {MARKET: (95.5, 90.0), DUKE: (90.7, 81.7)},
    "MGRe": {MARKET: (96.2, 90.1), DUKE: (91.3, 82.0)},
}

# Rank 1, rank 5 and mAP on Market-1501.
TABLE_5 = {
    "Single-grained features": (95.1, 98.2, 87.5),
    "Single-grained regions": (95.3, 98.5, 89.6),
    "MGRe": (96.2, 98.5, 90.1),
}

# Rank 1 and mAP on Market-1501 as it is, and erased; of two rivals and MGRe.
TABLE_6 = {
    "ABD-Net": ((95.0, 88.0), (91.6, 80.7)),
    "MGN": ((94.8, 86.6), (90.8, 77.8)),
    "MGRe": ((96.2, 90.1), (94.0, 85.9)),
}

# Rank 1, rank 5 and mAP on Market-1501.
TABLE_7 = {
    "Baseline": (94.3, 98.1, 85.8),
    "Baseline + JO": (95.0, 98.3, 86.6),
    "MGRe without JO": (95.6, 98.5, 89.5),
    "MGRe": (96.2, 98.5, 90.1),
}

GFLOPS = 7.89  # table 8; a multiplication and an addition count as one
