"""The tables and figures of the DSR paper: what it printed, and what is found in miniature."""

from reidops_models.reproduction.dsr.tables import TABLES

__all__ = ["TABLES"]
