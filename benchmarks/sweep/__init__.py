"""Sweeps over shapes: in each module ``CASES``, ``ours(case)`` and ``rivals(case)``, which are functions to be timed."""
