# PYTHON_ARGCOMPLETE_OK
"""`reidops`: the command line. One file per command; heavy libraries are imported when a command runs, not before."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from reidops_models.cli import (
    calibrate,
    data,
    demo,
    embed,
    evaluate,
    gallery,
    index,
    info,
    match,
    merge,
    pose,
    recipes,
    reproduce,
    score,
    search,
    serve,
    synth,
    train,
)
from reidops_models.cli.completion import attach_completers, complete
from reidops_models.cli.console import FAILED, complain, users_error
from reidops_models.cli.parser import CommandParser

COMMANDS = (
    demo,
    synth,
    data,
    recipes,
    train,
    merge,
    evaluate,
    score,
    calibrate,
    match,
    index,
    search,
    gallery,
    serve,
    embed,
    pose,
    reproduce,
    info,
)

EXTRAS = {  # what brings a package that `models` does not
    "fastapi": "serve",
    "lance": "gallery",
    "lance_ray": "distributed",
    "pyarrow": "gallery",
    "ray": "distributed",
    "uvicorn": "serve",
}

DESCRIPTION = "Partial and occluded person re-identification, from image files to a ranked list."
EPILOG = """\
examples:
  reidops demo                                        train, evaluate and draw a report, in about five minutes
  reidops match --probe crop.jpg --gallery people/    rank the images of a folder by likeness to one image
  reidops match --help                                all options of a command, with examples
"""


class ShowVersion(argparse.Action):
    """Prints the version; it is imported only then."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        import reidops

        print(f"reidops {reidops.__version__}")
        parser.exit()


def build_parser() -> CommandParser:
    """The parser of `reidops` with all its commands."""
    parser = CommandParser(prog="reidops", description=DESCRIPTION, epilog=EPILOG)
    parser.add_argument("--version", action=ShowVersion, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2]
        command = commands.add_parser(name, help=module.SUMMARY, description=module.DESCRIPTION, epilog=module.EXAMPLES)
        command.set_defaults(run=module.run, parser=command)
        module.add_arguments(command)
        attach_completers(command)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: words after `reidops`; those of the process if None.

    Returns:
        The exit code: 0 done, 1 done but a result is missing, 2 not done. Each complaint is one line on stderr.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # as stderr is: a file name that is not UTF-8 stops nothing
        sys.stdout.reconfigure(errors="backslashreplace")
    parser = build_parser()
    complete(parser)
    options, unexpected = parser.parse_known_args(sys.argv[1:] if arguments is None else arguments)
    if unexpected:
        options.parser.error(f"unexpected: {' '.join(unexpected)}")
    try:
        code: int = options.run(options)
        return code
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("reidops", "reidops_models"):
            raise
        extra = EXTRAS.get(package, "models")
        complain(f"the package {package!r} is missing: pip install 'reidops[{extra}]'")
        return FAILED
    except Exception as error:
        message = users_error(error)
        if message is None:
            raise
        complain(message)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
