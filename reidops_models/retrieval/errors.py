"""What a search or an evaluation cannot do."""

from __future__ import annotations

from collections.abc import Sequence


class SearchError(ValueError):
    """A search or an evaluation that cannot be done. The message is one line.

    Attributes:
        argument: the argument that is wrong, as the caller named it; empty where no single one is.
        reason: the message without the argument.
    """

    def __init__(self, reason: str, argument: str = "") -> None:
        self.argument = argument
        self.reason = " ".join(reason.split())
        super().__init__(f"{argument}: {self.reason}" if argument else self.reason)


class MatchingOptionError(SearchError):
    """An option of matching that the model does not have.

    Attributes:
        models: the names of the models that have it.
    """

    def __init__(self, reason: str, argument: str, models: Sequence[str]) -> None:
        super().__init__(reason, argument)
        self.models = tuple(models)
