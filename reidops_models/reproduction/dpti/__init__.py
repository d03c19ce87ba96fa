"""The tables and figures of the DPTI paper: what it printed, and what is found in miniature."""

from reidops_models.reproduction.dpti.tables import TABLES

__all__ = ["TABLES"]
