"""A benchmark of drawn people in Market-1501 layout, with partial and occluded probes, and exact annotations.

Real data sets of people need a licence, a download, and the consent of those shown; drawn people need a seed. People
come in look-alike groups of four who share the main colours of their clothes and differ in pattern, sleeves, bag,
hair, and the like, so that colour alone does not tell them apart. Six cameras differ in direction of view, light,
blur, noise and resolution.

`reidops synth` writes the benchmark, or a sheet of its images.
"""

from __future__ import annotations

from reidops_models.data.keypoints import KEYPOINTS
from reidops_models.data.synthetic.annotations import Annotation, load_annotations
from reidops_models.data.synthetic.benchmark import SIZES, BenchmarkSize, write_synthetic

__all__ = ["KEYPOINTS", "SIZES", "Annotation", "BenchmarkSize", "load_annotations", "write_synthetic"]
