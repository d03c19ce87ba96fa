"""An argument parser that abbreviates nothing and says which option was meant."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

NUMBER = re.compile(r"-\.?\d.*")  # a value, not an option


class CommandParser(argparse.ArgumentParser):
    """The parser of one command. An unknown option prints the usage of that command and the closest known option.

    Attributes:
        open_options: whether options that are not declared may be options of the model. They are kept in
            `model_options` of the namespace, as {"--metric": "cosine"}, for `unknown_option` or the model to judge.
    """

    def __init__(self, **options: Any) -> None:
        settings = {"formatter_class": argparse.RawDescriptionHelpFormatter, **options, "allow_abbrev": False}
        super().__init__(**settings)
        self.open_options = False
        self._open: dict[str, str] = {}

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse's, but an unknown option is found first, before what is missing."""
        if args is None:  # argparse passes the words on to the parsers of commands
            return super().parse_known_args(args, namespace)
        words = self._known_words(list(args))
        found, rest = super().parse_known_args(words, namespace)
        if self.open_options:
            found.model_options = dict(self._open)
        return found, rest

    def error(self, message: str) -> NoReturn:
        """The usage, one line, and exit code 2. An option that is near a known one may be what is wrong."""
        hints = [f"{flag} is unknown, did you mean {near}?" for flag in self._open if (near := self._closest(flag))]
        super().error("; ".join([message, *hints]))

    def unknown_option(self, flag: str) -> NoReturn:
        """Say that there is no such option, which one is closest, and exit."""
        self._open = {}
        near = self._closest(flag, cutoff=0.0)
        self.error(f"unknown option {flag}" + (f"; the closest is {near}" if near else ""))

    def _closest(self, flag: str, cutoff: float = 0.75) -> str | None:
        known = [name for name in self._option_string_actions if name.startswith("--")]
        longer = [name for name in known if name.startswith(flag)]  # an abbreviation
        return next(iter([*longer, *get_close_matches(flag, known, n=1, cutoff=cutoff)]), None)

    def _known_words(self, words: list[str]) -> list[str]:
        """The words without the options that may be the model's. Stops at an option that cannot be one."""
        self._open = {}
        known: list[str] = []
        while words:
            word = words.pop(0)
            flag, given, value = word.partition("=")
            if word == "--" or (self._subparsers is not None and not word.startswith("-")):
                return [*known, word, *words]  # the rest is not ours
            if not word.startswith("-") or word == "-" or NUMBER.fullmatch(word) or flag in self._option_string_actions:
                known.append(word)
            elif self.open_options and word.startswith("--") and (given or (words and not words[0].startswith("--"))):
                self._open[flag] = value if given else words.pop(0)
            else:
                self.unknown_option(flag)
        return known
