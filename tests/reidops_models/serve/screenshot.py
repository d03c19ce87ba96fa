"""The picture in docs/serve.md, of drawn people.

python -m tests.reidops_models.serve.screenshot docs/images/serve.png
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from reidops_models import Gallery
from reidops_models.data import list_images, write_synthetic

from .server import chromium, serving

THRESHOLD = 0.2
WIDTH = 1000


def take_screenshot(path: Path, size: str = "small") -> None:
    """Draw people, serve them, search for one whom the network finds, and keep what the browser shows."""
    with TemporaryDirectory() as folder:
        people = write_synthetic(Path(folder) / "people", size)
        gallery = Gallery.build(Path(folder) / "people.lance", people / "bounding_box_test", "dsr")
        probe = _found(gallery, people / "partial_query")
        with serving(Path(gallery.path), "--threshold", THRESHOLD) as server, chromium() as browser:
            page = browser.new_page(viewport={"width": WIDTH, "height": 800})
            page.goto(server.url)
            page.set_input_files("#file", probe)
            page.wait_for_selector("#explanation")
            page.wait_for_load_state("networkidle")  # the small pictures are here
            seen = Image.open(io.BytesIO(page.screenshot(full_page=True)))
    seen.convert("RGB").quantize(256).save(path, optimize=True)


def _found(gallery: Gallery, probes: Path) -> Path:
    """A probe whose nearest picture shows the same person, within the threshold; the best such of the first few."""
    found = gallery.search(list_images(probes)[:40], top=1, threshold=THRESHOLD)
    right = [ranked for ranked in found if ranked.first_right == 1 and not ranked.unknown]
    best = max(right, key=lambda ranked: ranked.probe.size[0] * ranked.probe.size[1])
    return next(path for path in list_images(probes) if best.probe.name.endswith(path.name))


if __name__ == "__main__":
    take_screenshot(Path(sys.argv[1]))
