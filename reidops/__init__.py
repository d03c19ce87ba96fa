"""Operators for person re-identification."""

from __future__ import annotations

from . import library  # noqa: F401
