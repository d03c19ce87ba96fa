"""The numbers that the DSR paper printed, per cent unless said otherwise."""

from __future__ import annotations

REID, ILIDS = "paper, Partial REID", "paper, Partial-iLIDS"
MARKET = "paper, Market-1501"

# Rank 1, 3, 5, 10. As printed: AMC+SWM's rank 10 on Partial-iLIDS, 70.67, lies below its rank 5.
TABLE_1 = {
    "Resizing model": {REID: (19.33, 32.67, 40.00, 51.33), ILIDS: (21.85, 36.97, 43.70, 55.46)},
    "SWM": {REID: (24.33, 45.00, 52.33, 61.33), ILIDS: (33.61, 47.06, 53.78, 63.03)},
    "AMC": {REID: (33.33, 46.00, 52.00, 62.00), ILIDS: (46.78, 64.75, 69.63, 81.85)},
    "AMC+SWM": {REID: (36.00, 51.00, 60.00, 70.67), ILIDS: (49.58, 63.34, 72.27, 70.67)},
    "DSR single-scale": {REID: (39.33, 55.67, 65.67, 76.67), ILIDS: (51.06, 61.66, 70.67, 82.42)},
    "DSR multi-scale": {REID: (43.00, 60.33, 75.00, 76.67), ILIDS: (54.58, 64.50, 73.11, 85.71)},
}

TABLE_2 = {
    "Resizing model": {REID: (26.00, 37.00, 43.67, 59.00), ILIDS: (28.57, 43.67, 49.67, 63.00)},
    "SWM": {REID: (34.33, 47.67, 57.00, 69.00), ILIDS: (35.33, 49.67, 57.00, 69.00)},
    "AMC": {REID: (42.33, 55.67, 60.67, 65.67), ILIDS: (44.67, 56.33, 63.00, 73.00)},
    "AMC+SWM": {REID: (44.67, 56.33, 63.00, 73.00), ILIDS: (52.67, 63.33, 67.00, 74.67)},
    "DSR single-scale": {REID: (49.33, 65.67, 72.67, 84.00), ILIDS: (54.67, 64.33, 68.67, 76.00)},
    "DSR multi-scale": {REID: (53.67, 72.33, 79.33, 88.00), ILIDS: (55.46, 68.07, 73.11, 78.15)},
}

# Seconds to identify a probe on Partial REID, by N, on an i7-4770.
TABLE_3 = {
    "Resizing model": {1: 0.326, 3: 0.371},
    "AMC": {1: 0.972, 3: 1.213},
    "SWM": {1: 81.519, 3: 237.144},
    "DSR single-scale": {1: 0.269, 3: 0.265},
    "DSR multi-scale": {1: 0.278, 3: 0.285},
}

# Rank 1 and mAP, single query.
TABLE_4 = {
    "pool5, Euclidean": {MARKET: (77.40, 55.64)},
    "DSR single-scale": {MARKET: (80.42, 58.28)},
    "DSR multi-scale": {MARKET: (81.77, 60.45)},
    "DSR single-scale, fine-tuned": {MARKET: (82.72, 61.25)},
    "DSR multi-scale, fine-tuned": {MARKET: (83.58, 64.25)},
}
