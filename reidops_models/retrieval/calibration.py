"""A calibration of a checkpoint, from a data set of people whom it was not trained on and who are not tested."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from reidops_models.data import ReidDataset
from reidops_models.evaluation import Calibration, calibrate
from reidops_models.matching import MEMORY
from reidops_models.retrieval.errors import SearchError
from reidops_models.retrieval.evaluation import digest_of, evaluate, method_name
from reidops_models.retrieval.images import ImageFile
from reidops_models.retrieval.model import Model, find_model, matching_facts, with_matching

ENDING = ".calibration.json"


def calibration_path(checkpoint: str | Path) -> Path:
    """Where the calibration of a checkpoint is: beside it.

    Args:
        checkpoint: either of its files, or their common name.

    Example:
        >>> calibration_path("runs/demo/model.safetensors").name
        'model.calibration.json'
    """
    path = Path(checkpoint)
    base = path.with_suffix("") if path.suffix in (".safetensors", ".json") else path
    return base.with_name(base.name + ENDING)


def calibrate_model(
    model: Model,
    dataset: ReidDataset,
    *,
    probes: str | None = None,
    method: str | None = None,
    options: Mapping[str, Any] | None = None,
    memory: int = MEMORY,
    progress: bool = False,
) -> Calibration:
    """Thresholds and probabilities of one method of a checkpoint.

    The pairs are those of each probe with all gallery images that `evaluate` ranks for it.

    Args:
        model: a paper's name, a checkpoint's file, or a loaded checkpoint.
        dataset: validation people: they were not trained on, and will not be tested.
        probes: the probe set; by default `partial_query` where there is one, else `query`.
        method: such as "dsr-single-scale"; by default the paper's method.
        options: options of matching that replace the recipe's.
        memory, progress: as of `evaluate`.

    Raises:
        CalibrationError: there are too few pairs.
        SearchError: the data set has validation people of its own, or as of `evaluate`.

    Example:
        >>> people = load_dataset("people/validation")  # doctest: +SKIP
        >>> calibrate_model("dsr", people).threshold_of(fpr=0.01)  # doctest: +SKIP
        0.39
    """
    if dataset.validation is not None:
        raise SearchError(
            f"{dataset.root} has test people; choose its validation people: {dataset.validation.root}", argument="data"
        )
    checkpoint = with_matching(find_model(model), options or {})
    name = method or method_name(checkpoint.methods().main)
    found = evaluate(checkpoint, dataset, probes=probes, methods=[name], memory=memory, progress=progress)
    (result,) = found
    gallery = [image for image in found.gallery if isinstance(image, ImageFile)]
    return calibrate(
        result.verification,
        method=result.name,
        options=matching_facts(checkpoint),
        checkpoint=checkpoint.identity,
        data=f"{found.facts['probe set']} in {Path(*dataset.root.parts[-2:])}",
        gallery=digest_of(gallery),
    )
