"""A page to look at, and the same for programs: a crop in, ranks out of a gallery (`reidops serve`, docs/serve.md).

`app` has the addresses, `answers` the typed answers, `people` searches the gallery, and `queue` lets one search run at
a time. What comes in is bounded by `uploads`, and `guard` keeps other sites away. `run` opens the port; `page` is what
a browser gets. It needs the extra `serve`.
"""

from __future__ import annotations

from reidops_models.serve.app import Limits, create_app
from reidops_models.serve.people import People
from reidops_models.serve.run import Address, ServeError, run

__all__ = ["Address", "Limits", "People", "ServeError", "create_app", "run"]
