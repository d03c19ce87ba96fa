"""What the parser of a command says of words that it does not know."""

from __future__ import annotations

import pytest

from reidops_models.cli import build_parser, main
from reidops_models.cli.parser import CommandParser

MATCH = ["match", "--probe", "x", "--gallery", "y"]


@pytest.mark.parametrize(
    ("words", "command", "closest"),
    [
        (["train", "--recipe", "dsr/demo", "--data", "x", "--output", "y"], "train", "--out"),
        (["train", "--recip", "dsr/demo"], "train", "--recipe"),
        (["synth", "x", "--sead", "1"], "synth", "--seed"),
        (["synth", "x", "--se=1"], "synth", "--seed"),
        (["data", "check", "x", "--settings", "0"], "data check", "--setting"),
        (["reproduce", "dsr", "--tables", "all"], "reproduce", "--table"),
        (["info", "--verson"], "info", "--help"),
        ([*MATCH, "--topk", "3"], "match", "--top"),
        ([*MATCH, "--bet", "0.2"], "match", "--beta"),
        ([*MATCH, "--picture=3"], "match", "--pictures"),
        (["evaluate", "--data", "x", "--rival"], "evaluate", "--rivals"),
        (["evaluate", "--data", "x", "--metho", "a"], "evaluate", "--methods"),
    ],
)
def test_an_unknown_option_names_the_closest_of_the_command(
    words: list[str], command: str, closest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    usage, *_, last = capsys.readouterr().err.splitlines()
    assert usage.startswith(f"usage: reidops {command} ")
    given = [word.partition("=")[0] for word in words if word.startswith("--")]
    (flag,) = set(given) - {"--probe", "--gallery", "--recipe", "--data"}
    assert last == f"reidops {command}: error: unknown option {flag}; the closest is {closest}"


def test_a_misspelt_option_is_named_where_it_is_missed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["match", "--probes", "x", "--gallery", "y", "--metric", "cosine"])
    assert capsys.readouterr().err.splitlines()[-1] == (
        "reidops match: error: the following arguments are required: --probe; "
        "--probes is unknown, did you mean --probe?"
    )


def test_an_unknown_option_before_the_command_is_one_of_reidops(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--versoin"])
    error = capsys.readouterr().err
    assert error.startswith("usage: reidops [-h]")
    assert error.endswith("reidops: error: unknown option --versoin; the closest is --version\n")


def test_numbers_below_zero_and_words_after_two_dashes_are_values() -> None:
    options = build_parser().parse_args([*MATCH, "--beta", "-1", "--out", "-.5"])
    assert (options.beta, str(options.out)) == (-1.0, "-.5")
    assert str(build_parser().parse_args(["synth", "--", "--out"]).out) == "--out"


def test_a_word_too_many_is_an_error_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["recipes", "dsr/demo", "dsr/cuhk03"])
    usage, *_, last = capsys.readouterr().err.splitlines()
    assert usage.startswith("usage: reidops recipes ")
    assert last == "reidops recipes: error: unexpected: dsr/cuhk03"


def test_no_parser_takes_abbreviations() -> None:
    def parsers(parser: CommandParser) -> list[CommandParser]:
        actions = [action for action in parser._actions if isinstance(action.choices, dict)]
        return [parser, *(one for action in actions for child in action.choices.values() for one in parsers(child))]

    found = parsers(build_parser())
    assert len(found) > 12
    assert not any(parser.allow_abbrev for parser in found)
