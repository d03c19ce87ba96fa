"""Person re-identification on the operators of `reidops`: a library of matching, training and evaluation.

The public API is the names in `__all__`. Each is imported when it is first used, so `import reidops_models` takes no
torch and no time. The sub-packages have the parts: `data`, `recipe`, `training`, `retrieval`, `evaluation`, `report`,
and one package per paper.

>>> import reidops_models
>>> reidops_models.load_recipe("dsr/demo").model
'dsr'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reidops_models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
    from reidops_models.data import ReidDataset, load_dataset
    from reidops_models.evaluation import Calibration, Interval, RankingResult, VerificationResult
    from reidops_models.extractor import FeatureExtractor
    from reidops_models.gallery import Gallery, GalleryEntry, GalleryError
    from reidops_models.recipe import Recipe, load_recipe
    from reidops_models.retrieval import (
        Evaluation,
        KReciprocal,
        Match,
        MethodResult,
        Problem,
        RankedList,
        SearchError,
        SearchResult,
        Stages,
        evaluate,
        search,
    )
    from reidops_models.training.run import train

__all__ = [
    "Calibration",
    "Checkpoint",
    "Evaluation",
    "FeatureExtractor",
    "Gallery",
    "GalleryEntry",
    "GalleryError",
    "Interval",
    "KReciprocal",
    "Match",
    "MethodResult",
    "Problem",
    "RankedList",
    "RankingResult",
    "Recipe",
    "ReidDataset",
    "SearchError",
    "SearchResult",
    "Stages",
    "VerificationResult",
    "evaluate",
    "load_checkpoint",
    "load_dataset",
    "load_recipe",
    "save_checkpoint",
    "search",
    "train",
]

_MODULES = {
    "checkpoint": ("Checkpoint", "load_checkpoint", "save_checkpoint"),
    "data": ("ReidDataset", "load_dataset"),
    "evaluation": ("Calibration", "Interval", "RankingResult", "VerificationResult"),
    "extractor": ("FeatureExtractor",),
    "gallery": ("Gallery", "GalleryEntry", "GalleryError"),
    "recipe": ("Recipe", "load_recipe"),
    "retrieval": (
        *("Evaluation", "Match", "MethodResult", "Problem", "RankedList", "SearchError", "SearchResult"),
        *("KReciprocal", "Stages"),
        *("evaluate", "search"),
    ),
    "training.run": ("train",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    globals()[name] = value  # the next access needs no import
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
