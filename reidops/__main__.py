"""``python -m reidops`` prints what is built, what is loaded, and why CUDA is not there."""

from ._config import show_config

show_config()
