"""Search a gallery for probes, and say how good a search is.

`images` finds and names images, `ranking` searches a gallery for them, and what is left of a search are `ranked_lists`.
`matches` writes these to files, `drawing` draws them for the report, `scores` and `search_scores` judge them.
`stages` has what follows on a model's distances: a shortlist, re-ranking.
`evaluation` does all of it for a model on a data set, and `results` is what it found. `model` finds the model that a
caller names.

>>> import torch
>>> found = search(torch.rand(2, 3, 128, 64), torch.rand(4, 3, 128, 64), model="dpti")
>>> found.method, len(found), [match.rank for match in found[0].matches]
('DPTI', 2, [1, 2, 3, 4])
"""

from __future__ import annotations

from reidops_models.retrieval.errors import MatchingOptionError, SearchError
from reidops_models.retrieval.evaluation import evaluate
from reidops_models.retrieval.images import ImageFile, ImageTensor, Problem, Problems
from reidops_models.retrieval.ranked_lists import Match, RankedList, SearchResult
from reidops_models.retrieval.ranking import search
from reidops_models.retrieval.results import Evaluation, MethodResult
from reidops_models.retrieval.stages import KReciprocal, Stages

__all__ = [
    "Evaluation",
    "ImageFile",
    "ImageTensor",
    "KReciprocal",
    "Match",
    "MatchingOptionError",
    "MethodResult",
    "Problem",
    "Problems",
    "RankedList",
    "SearchError",
    "SearchResult",
    "Stages",
    "evaluate",
    "search",
]
