"""The tables and figures of the CSN paper: what it printed, and what is found in miniature."""

from reidops_models.reproduction.csn.tables import TABLES

__all__ = ["TABLES"]
