"""The tables and figures of the MGRe paper: what it printed, and what is found in miniature."""

from reidops_models.reproduction.mgre.tables import TABLES

__all__ = ["TABLES"]
