"""The numbers that the CSN paper printed: rank 1, 5 and 10 in per cent; parameters and operations."""

from __future__ import annotations

CUHK03 = "paper, CUHK03 detected"

# The paper's own rows of table 2, by data set.
TABLE_2 = {
    "Ours-(L2, L3)": {
        "CUHK03 detected": (79.45, 94.70, 97.90),
        "CUHK03 labeled": (80.30, 97.10, 98.35),
        "CUHK01": (86.55, 97.70, 98.70),
        "VIPeR": (48.03, 72.90, 82.15),
    },
    "Ours-(L2, L3, L4)": {
        "CUHK03 detected": (86.45, 97.50, 99.10),
        "CUHK03 labeled": (87.50, 97.85, 99.45),
        "CUHK01": (88.20, 98.20, 99.35),
        "VIPeR": (50.10, 73.10, 84.35),
    },
}

TABLE_3 = {
    "Ours-cls": (75.90, 94.55, 97.85),
    "Ours-L2": (74.70, 93.52, 96.45),
    "Ours-L3": (76.55, 93.70, 96.85),
    "Ours-L4": (79.15, 94.45, 97.80),
    "Ours-(L2, L3)": (79.45, 94.70, 97.90),
    "Ours-(L2, L3, L4)": (86.45, 97.50, 99.10),
}

TABLE_4 = {
    "C1": (79.40, 94.95, 98.40),
    "C2": (82.00, 96.40, 98.55),
    "C3": (79.15, 94.45, 97.80),
    "C4": (86.45, 97.50, 99.10),
}

# Millions of parameters, GFLOPs of a pair.
TABLE_5 = {"Ours-(L2, L3)": (0.5, 0.96), "Ours-(L2, L3, L4)": (0.8, 1.31)}

PAIRS, SECONDS, DEVICE = 1250, 1.6, "Titan X"  # sec. 4.2
