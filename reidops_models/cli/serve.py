"""`reidops serve`: a page in the browser that searches a gallery."""

from __future__ import annotations

import argparse

from reidops_models.cli.arguments import (
    add_model_arguments,
    load_named,
    matching_options,
    natural_number,
    positive_int,
)
from reidops_models.cli.console import complain
from reidops_models.cli.parser import CommandParser
from reidops_models.cli.search import Rate, distance_or_rate

SUMMARY = "search a gallery from a page in the browser"
DESCRIPTION = """\
Open a page on this machine: drop a crop on it, and see the ranks, the
distances, and how the best match was made. What is dropped is not kept.
Programs get the same as JSON; /openapi.json describes it.

Only this machine can reach it, and only its own page may ask. There is no
password: where other machines shall reach it, say so by --server-name.
"""
EXAMPLES = """\
examples:
  reidops serve --gallery people.lance
  reidops serve --gallery people.lance --threshold fpr=0.01 --port 9000
  reidops serve --gallery people.lance --checkpoint runs/demo/model
  reidops serve --gallery people.lance --host 0.0.0.0 --server-name desk.example.org

  curl --data-binary @crop.jpg -H 'Content-Type: image/jpeg' \\
    'http://127.0.0.1:8000/api/search?top=5'

It runs until Ctrl-C.
"""


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("--gallery", required=True, metavar="GALLERY", help="what `reidops index` made")
    add_model_arguments(parser)
    parser.add_argument(
        "--threshold",
        type=distance_or_rate,
        metavar="DISTANCE|fpr=RATE",
        help="call a crop unknown whose nearest image is farther (default: none is)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="name or address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=natural_number, default=8000, help="to listen on; 0 takes a free one (default: %(default)s)"
    )
    parser.add_argument(
        "--server-name",
        action="append",
        default=[],
        metavar="NAME",
        help="a name by which other machines ask for it; needed where they can reach --host",
    )
    parser.add_argument(
        "--most-megabytes",
        type=positive_int,
        default=10,
        metavar="N",
        help="of an image that is sent (default: %(default)s)",
    )
    parser.add_argument(
        "--most-megapixels",
        type=positive_int,
        default=4,
        metavar="N",
        help="of an image that is sent (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    from reidops_models.gallery import Gallery
    from reidops_models.serve import Address, Limits, People
    from reidops_models.serve import run as serve

    gallery = Gallery.open(options.gallery, load_named(options))
    gallery.checkpoint.to(options.device)
    matching = matching_options(options, gallery.checkpoint.paper)
    threshold = options.threshold
    if isinstance(threshold, Rate):
        threshold = gallery.threshold_at(threshold.fpr, matching)
    people = People(gallery, threshold, matching)
    address = Address(options.host, options.port, tuple(options.server_name))
    limits = Limits(options.most_megabytes * 10**6, options.most_megapixels * 10**6)

    def begun(url: str) -> None:
        print(f"{people.name}: {len(people)} pictures at {url} (Ctrl-C ends it)", flush=True)

    try:
        serve(people, address, limits, begun=begun)
    except KeyboardInterrupt:
        complain("ended")
    return 0
