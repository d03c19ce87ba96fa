"""Who is drawn: a person's looks, sampled in groups of look-alikes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

__all__ = ["GROUP_SIZE", "Color", "Person", "sample_people"]

GROUP_SIZE = 4
"""Look-alikes share main colours, kind of legwear, coat and hair length; a split must not cut a group in two."""

Color = tuple[int, int, int]
_T = TypeVar("_T")

_UPPER: list[Color] = [
    (188, 42, 48), (36, 60, 150), (40, 120, 70), (225, 200, 60), (235, 235, 232),
    (30, 30, 34), (128, 128, 132), (110, 70, 140), (222, 130, 50), (120, 180, 220),
]  # fmt: skip
_LOWER: list[Color] = [(32, 34, 40), (52, 66, 110), (120, 104, 80), (88, 90, 94), (190, 180, 160), (90, 40, 44)]
_SKIN: list[Color] = [(236, 200, 172), (222, 178, 140), (182, 132, 96), (120, 80, 56), (84, 56, 42)]
_HAIR: list[Color] = [(24, 20, 20), (70, 44, 26), (130, 84, 40), (206, 170, 96), (140, 136, 132), (120, 40, 26)]
_ACCESSORY: list[Color] = [
    (30, 30, 32), (150, 40, 40), (40, 60, 120), (110, 80, 50), (60, 110, 70), (200, 190, 170), (210, 120, 150),
]  # fmt: skip
_SHOES: list[Color] = [(28, 28, 30), (230, 230, 228), (120, 80, 50), (170, 40, 40), (60, 80, 150)]

_PATTERNS = ["plain", "plain", "hstripe", "vstripe", "check", "logo", "twotone", "open", "dots", "band"]
_LEGWEAR = ["trousers", "trousers", "trousers", "shorts", "skirt", "leggings"]
_SLEEVES = ["long", "long", "short", "raglan", "none"]
_BAGS = ["none", "none", "backpack", "handbag", "sling"]


@dataclass(frozen=True)
class Person:
    """Everything about a person that stays the same from image to image. Colours are RGB, 0 to 255."""

    upper: Color
    lower: Color
    legwear: str
    hair_length: int
    coat: bool
    pattern: str
    second: Color
    pattern_scale: float
    logo: int
    sleeves: str
    skin: Color
    hair: Color
    shoes: Color
    bag: str
    bag_color: Color
    bag_side: int
    hat: Color | None
    girth: float
    height: float
    side_stripe: Color | None


def sample_people(count: int, seed: int) -> list[Person]:
    """`count` people, a multiple of :data:`GROUP_SIZE`, one group of look-alikes after the other.

    Example:
        >>> a, b, *_ = sample_people(4, seed=0)
        >>> a.legwear == b.legwear, a == b
        (True, False)
    """
    if count < 1 or count % GROUP_SIZE:
        raise ValueError(f"sample_people: count must be a positive multiple of {GROUP_SIZE}, got {count}")
    rng = np.random.default_rng([seed, 11])
    return [person for _ in range(count // GROUP_SIZE) for person in _sample_group(rng)]


def _sample_group(rng: np.random.Generator) -> list[Person]:
    upper, lower, legwear = pick(rng, _UPPER), pick(rng, _LOWER), pick(rng, _LEGWEAR)
    hair_length, coat = int(rng.integers(3)), rng.random() < 1 / 3
    return [_sample_member(rng, upper, lower, legwear, hair_length, coat) for _ in range(GROUP_SIZE)]


def _sample_member(
    rng: np.random.Generator, upper: Color, lower: Color, legwear: str, hair_length: int, coat: bool
) -> Person:
    own_upper = vary(rng, upper, 9)
    second = pick(rng, _UPPER)
    while np.abs(np.subtract(second, own_upper)).sum() < 120:  # a pattern must be seen against its ground
        second = pick(rng, _UPPER)
    return Person(
        upper=own_upper,
        lower=vary(rng, lower, 7),
        legwear=legwear,
        hair_length=hair_length,
        coat=coat,
        pattern=pick(rng, _PATTERNS),
        second=second,
        pattern_scale=float(rng.uniform(0.75, 1.4)),
        logo=int(rng.integers(3)),
        sleeves=pick(rng, _SLEEVES),
        skin=vary(rng, pick(rng, _SKIN), 4),
        hair=vary(rng, pick(rng, _HAIR), 4),
        shoes=pick(rng, _SHOES),
        bag=pick(rng, _BAGS),
        bag_color=pick(rng, _ACCESSORY),
        bag_side=pick(rng, [-1, 1]),
        hat=pick(rng, _ACCESSORY) if rng.random() < 0.15 else None,
        girth=float(rng.uniform(0.88, 1.18)),
        height=float(rng.uniform(0.93, 1.04)),
        side_stripe=pick(rng, _ACCESSORY) if rng.random() < 0.2 else None,
    )


def pick(rng: np.random.Generator, choices: Sequence[_T]) -> _T:
    """One of the choices, all alike likely."""
    return choices[int(rng.integers(len(choices)))]


def vary(rng: np.random.Generator, color: Color, spread: float) -> Color:
    """The colour with normal noise of that standard deviation on each channel."""
    red, green, blue = np.clip(np.add(color, rng.normal(0, spread, 3)), 0, 255).astype(int).tolist()
    return red, green, blue


def shade(color: Color, factor: float) -> Color:
    """The colour, darker by that factor."""
    red, green, blue = (int(channel * factor) for channel in color)
    return red, green, blue
