"""Training that all papers share, on Lightning.

Import `reidops_models.training.run` to train; the other modules are its parts. Needs the extra `reidops[models]`.
"""
