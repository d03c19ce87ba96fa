# PYTHON_ARGCOMPLETE_OK
"""`python -m reidops_models` is `reidops`."""

from __future__ import annotations

import sys

from reidops_models.cli import main

sys.exit(main())
