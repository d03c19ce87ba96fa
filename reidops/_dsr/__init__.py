"""The DSR distance: from feature maps to a table of pairs, on top of the lasso operator."""
