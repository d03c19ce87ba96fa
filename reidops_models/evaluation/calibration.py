"""What a distance means: thresholds at false positive rates, and the probability that two images show one person.

Both are read off pairs whose people are known. These must be other people than those that are searched for later:
validation people, because the network knows the training people too well and test people are there to check the result.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, overload

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reidops_models.evaluation.verification import VerificationResult
from reidops_models.files import replacing

__all__ = ["Calibration", "CalibrationError", "calibrate"]

RATES = tuple(float(f"{digit}e-{power}") for power in range(6, 0, -1) for digit in range(1, 10))  # 1e-6, ..., 0.9

Share = Annotated[float, Field(gt=0, lt=1)]


class CalibrationError(ValueError):
    """A calibration that cannot be made, read or used; the message is one line."""


class Calibration(BaseModel):
    """What the distances of one method of one checkpoint mean. :func:`calibrate` makes it.

    Attributes:
        method: the name of the method that made the distances, such as "DSR multi-scale".
        options: of matching.
        checkpoint: the identity of the checkpoint (`Checkpoint.identity`).
        data: the name of the data set and the probe set of the pairs.
        gallery: a digest of the gallery's files, by which the same people are known again; empty: not known.
        people: how many there are in the pairs of one person.
        right_pairs, wrong_pairs: how many pairs of one person, and of two, it was made on.
        thresholds: false positive rates, rising, each with the largest distance at which no larger share of the wrong
            pairs is accepted.
        curve: distances, rising, each with the probability of one person, falling; straight lines between them.

    Example:
        >>> import torch
        >>> from reidops_models.evaluation import evaluate_verification
        >>> distances = torch.tensor([[0.1, 0.6, 0.3], [0.7, 0.2, 0.9]])
        >>> found = calibrate(evaluate_verification(distances, [1, 2], [1, 2, 3]), method="DSR", data="people")
        >>> 0.3 < found.threshold_of(fpr=0.3) < 0.6, found.probability(0.1) > found.probability(0.6)
        (True, True)
        >>> Calibration.from_dict(found.to_dict()) == found
        True
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    format: Literal[1] = 1
    method: str
    options: dict[str, Any] = {}
    checkpoint: str = ""
    data: str
    gallery: str = ""
    people: int = Field(ge=1)
    right_pairs: int = Field(ge=1)
    wrong_pairs: int = Field(ge=1)
    thresholds: tuple[tuple[Share, float], ...]
    curve: tuple[tuple[float, Share], ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _ordered(self) -> Calibration:
        for name, points, falls in (("thresholds", self.thresholds, False), ("curve", self.curve, True)):
            first, second = (np.array([point[side] for point in points]) for side in (0, 1))
            if (np.diff(first) <= 0).any() or (np.diff(-second if falls else second) < 0).any():
                raise ValueError(f"{name}: not in order")
        return self

    @property
    def base_rate(self) -> float:
        """The share of the pairs that show one person, in (0, 1)."""
        return self.right_pairs / (self.right_pairs + self.wrong_pairs)

    def threshold_of(self, fpr: float) -> float:
        """The distance up to which a pair is accepted, so that at most the share `fpr` of the wrong pairs is.

        Rates of one digit (0.05, 0.001) have a threshold of their own. For another rate it is that of the next lower
        one, so that no more is accepted than was asked for.

        Raises:
            CalibrationError: `fpr` is not in (0, 1), or so low that the pairs cannot tell.
        """
        if not 0 < fpr < 1:
            raise CalibrationError(f"fpr: expected a rate above 0 and below 1, got {fpr}")
        known = [distance for rate, distance in self.thresholds if rate <= fpr * (1 + 1e-9)]
        if not known:
            lowest = f"the lowest rate is {self.thresholds[0][0]:g}" if self.thresholds else "there is no threshold"
            raise CalibrationError(f"fpr: {fpr:g} cannot be told from {self.wrong_pairs} wrong pairs; {lowest}")
        return known[-1]

    @overload
    def probability(self, distance: float, *, base_rate: float | None = None) -> float: ...
    @overload
    def probability(self, distance: np.ndarray, *, base_rate: float | None = None) -> np.ndarray: ...
    def probability(self, distance: float | np.ndarray, *, base_rate: float | None = None) -> float | np.ndarray:
        r"""The probability that the two images of a pair at this distance show one person; NaN where the distance is.

        It holds for pairs of which the share `base_rate` shows one person. By default it is the share in the data of
        the calibration. Where it is :math:`b'` and not :math:`b`, Bayes' rule gives
        :math:`\frac{p'}{1-p'} = \frac{p}{1-p} \cdot \frac{b'}{1-b'} \cdot \frac{1-b}{b}`: in a gallery of ten times as
        many other people the same distance means less.

        Args:
            distance: of one pair, or an array of any shape.
            base_rate: above 0 and below 1.

        Raises:
            CalibrationError: a base rate out of range.
        """
        distances, shares = np.array(self.curve).T
        found = np.interp(np.asarray(distance, np.float64), distances, shares)
        if base_rate is not None:
            if not 0 < base_rate < 1:
                raise CalibrationError(f"base_rate: expected a share above 0 and below 1, got {base_rate}")
            odds = found / (1 - found) * (base_rate / (1 - base_rate)) * ((1 - self.base_rate) / self.base_rate)
            found = odds / (1 + odds)
        return found if isinstance(distance, np.ndarray) else float(found)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as the JSON file has them."""
        return self.model_dump(mode="json")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], origin: str = "calibration") -> Calibration:
        """What :meth:`to_dict` gave.

        Args:
            values: nothing may be missing, unknown, of another type or out of order.
            origin: where they come from, for messages.

        Raises:
            CalibrationError: they are something else.
        """
        try:
            return cls.model_validate_json(json.dumps(dict(values)))
        except ValidationError as error:
            item = error.errors()[0]
            place = ".".join(str(part) for part in item["loc"])
            raise CalibrationError(
                f"{origin}: not a calibration: {place + ': ' if place else ''}{item['msg']}"
            ) from error
        except (TypeError, ValueError) as error:
            raise CalibrationError(f"{origin}: not a calibration: {' '.join(str(error).split())}") from error

    def save(self, path: str | Path) -> Path:
        """Write the JSON file; returns its path."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as unfinished:
            unfinished.write_text(json.dumps(self.to_dict(), indent=1) + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, path: str | Path) -> Calibration:
        """Read what :meth:`save` wrote.

        Raises:
            CalibrationError: the file is something else.
            OSError: it cannot be read.
        """
        try:
            values = json.loads(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:  # neither JSON nor UTF-8
            raise CalibrationError(f"{path}: not a calibration: {' '.join(str(error).split())}") from error
        if not isinstance(values, dict):
            raise CalibrationError(f"{path}: not a calibration: expected keys and values")
        return cls.from_dict(values, origin=str(path))


def calibrate(
    pairs: VerificationResult,
    *,
    method: str,
    data: str,
    checkpoint: str = "",
    options: Mapping[str, Any] | None = None,
    gallery: str = "",
) -> Calibration:
    r"""Thresholds and probabilities from pairs whose people are known.

    The probability is the isotonic regression of "one person" on the distance: of all curves that never rise, the one
    with the least squared error over the pairs. An end of it at which all :math:`n` pairs are of one kind would say 0
    or 1; there it says :math:`\frac{1}{n+2}` or :math:`\frac{n+1}{n+2}` (Laplace's rule), where its neighbour is less
    certain than that.

    B. Zadrozny, C. Elkan, "Transforming Classifier Scores into Accurate Multiclass Probability Estimates", KDD 2002.

    Args:
        pairs: of people whom the network was not trained on, and who will not be searched for.
        method, data, checkpoint, options, gallery: as :class:`Calibration` keeps them.

    Raises:
        CalibrationError: there are no pairs of one person with a distance, or none of two.
    """
    distances, right, wrong = pairs.counts()
    finite = np.isfinite(distances)
    distances, right, wrong = distances[finite].astype(np.float64), right[finite], wrong[finite]
    if not (right.any() and wrong.any()):
        raise CalibrationError(f"{data}: expected pairs of one person and of two, got {right.sum()} and {wrong.sum()}")
    rates = [rate for rate in RATES if rate * pairs.pairs[1] >= 1]
    thresholds = [(rate, pairs.threshold_at(rate)) for rate in rates]
    return Calibration(
        method=method,
        options=dict(options or {}),
        checkpoint=checkpoint,
        data=data,
        gallery=gallery,
        people=len(np.unique(pairs.probe_pids)),
        right_pairs=int(right.sum()),
        wrong_pairs=int(wrong.sum()),
        thresholds=tuple((rate, distance) for rate, distance in thresholds if np.isfinite(distance)),
        curve=_falling_curve(distances, right, wrong),
    )


def _falling_curve(distances: np.ndarray, right: np.ndarray, wrong: np.ndarray) -> tuple[tuple[float, float], ...]:
    from scipy.optimize import isotonic_regression  # takes a while to import

    pairs = right + wrong
    found = isotonic_regression(right / pairs, weights=pairs, increasing=False)
    starts = found.blocks[:-1]  # of the stretches of one value
    ends = found.blocks[1:] - 1
    shares, sizes = found.x[starts], np.add.reduceat(pairs, starts)
    if shares[0] >= 1:
        shares[0] = max(shares[1] if len(shares) > 1 else 0.0, (sizes[0] + 1) / (sizes[0] + 2))
    if shares[-1] <= 0:
        shares[-1] = min(shares[-2] if len(shares) > 1 else 1.0, 1 / (sizes[-1] + 2))
    points: list[tuple[float, float]] = []
    for start, end, share in zip(starts, ends, shares, strict=True):
        for place in sorted({int(start), int(end)}):
            points.append((float(distances[place]), float(share)))
    return tuple(points)
