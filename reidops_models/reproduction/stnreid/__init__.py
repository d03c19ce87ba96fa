"""The tables and figures of the STNReID paper: what it printed, and what is found in miniature."""

from reidops_models.reproduction.stnreid.tables import TABLES

__all__ = ["TABLES"]
