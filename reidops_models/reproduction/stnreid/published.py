"""The numbers that the STNReID paper printed, per cent."""

from __future__ import annotations

REID, ILIDS = "paper, Partial-REID", "paper, Partial-iLIDS"

# Rank 1 on Partial-REID without the STN module, and with it. Ep1 has the weakest ReID module, Ep5 the strongest.
TABLE_2 = {
    "Ep1": (34.4, 41.7),
    "Ep2": (39.5, 46.3),
    "Ep3": (49.3, 53.3),
    "Ep4": (59.5, 60.5),
    "Ep5": (62.9, 63.6),
}

# Rank 1 and 5.
TABLE_3 = {
    "MM, ReID module alone": {REID: (58.2, 82.5), ILIDS: (40.3, 71.4)},
    "MM": {REID: (61.3, 83.1), ILIDS: (43.7, 72.1)},
    "PM, ReID module alone": {REID: (63.6, 84.8), ILIDS: (47.9, 74.8)},
    "PM": {REID: (66.7, 86.0), ILIDS: (54.6, 78.2)},
}

# Rank 1, 3 and 5. As printed: STNReID(PM)'s rank 5 on Partial-iLIDS is 79.2 here and 78.2 in table 3.
TABLE_4 = {
    "Resizing model": {REID: (19.3, 32.7, 40.0), ILIDS: (21.9, 37.0, 43.7)},
    "SWM": {REID: (24.3, 45.0, 52.3), ILIDS: (33.6, 47.1, 53.8)},
    "AMC": {REID: (33.3, 46.0, 52.0), ILIDS: (46.9, 64.8, 69.6)},
    "AMC+SWM": {REID: (36.0, 51.0, 60.0), ILIDS: (49.6, 63.3, 72.3)},
    "DSR (CVPR18)": {REID: (39.3, 55.7, 65.7), ILIDS: (51.1, 61.7, 70.7)},
    "Baseline": {REID: (58.2, 76.5, 82.5), ILIDS: (40.3, 61.3, 71.4)},
    "DSR (Our)": {REID: (61.7, 78.9, 85.3), ILIDS: (49.6, 65.3, 74.8)},
    "STNReID (MM)": {REID: (61.3, 76.8, 83.1), ILIDS: (43.7, 62.6, 72.1)},
    "STNReID (PM)": {REID: (66.7, 80.3, 86.0), ILIDS: (54.6, 71.3, 79.2)},
}
