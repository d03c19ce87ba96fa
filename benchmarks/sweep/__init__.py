"""Sweeps over shapes: where each operator leads its rivals, and where not.

A module per operator has ``CASES``, each with a ``name``, and ``rivals(case)``: the ways to compute it, by their names,
of which ``"reidops"`` is ours. ``python -m benchmarks.sweep`` runs them.
"""
