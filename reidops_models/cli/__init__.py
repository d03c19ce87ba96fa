"""`reidops`: the command line. One file a command; heavy libraries are imported when a command runs, not before."""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Sequence

from reidops_models.cli import demo, embed, evaluate, match, pose, reproduce, synth, train
from reidops_models.cli.console import FAILED, complain, users_error

COMMANDS = (demo, synth, train, evaluate, match, embed, pose, reproduce)

DESCRIPTION = "Partial and occluded person re-identification, from picture files to a ranked list."
EPILOG = """\
examples:
  reidops demo                                        train, evaluate and draw a report, in about five minutes
  reidops match --probe crop.jpg --gallery people/    rank the pictures of a folder by likeness to one picture
  reidops match --help                                all options of a command, with examples
"""


def build_parser() -> argparse.ArgumentParser:
    """The parser of `reidops` with all its commands."""
    parser = argparse.ArgumentParser(
        prog="reidops",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for module in COMMANDS:
        name = module.__name__.rpartition(".")[2]
        command = commands.add_parser(
            name,
            help=module.SUMMARY,
            description=module.DESCRIPTION,
            epilog=module.EXAMPLES,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: words after `reidops`; those of the process if None.

    Returns:
        The exit code: 0 done, 1 done but a result is missing, 2 not done. What is wrong stands on stderr, a line each.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):  # as stderr is: a file name that is not UTF-8 stops nothing
        sys.stdout.reconfigure(errors="backslashreplace")
    options = build_parser().parse_args(arguments)
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
        complain(f"the package {package!r} is missing: pip install 'reidops[models]'")
        return FAILED
    except Exception as error:
        message = users_error(error)
        if message is None:
            raise
        complain(message)
        return FAILED


if __name__ == "__main__":
    sys.exit(main())
