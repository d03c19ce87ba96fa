"""What a gallery cannot do."""

from __future__ import annotations


class GalleryError(ValueError):
    """A gallery that cannot be made, opened, changed or searched. The message is one line."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class NoGalleryError(GalleryError):
    """There is nothing at the path."""
