"""Every command explains itself, with an example, and the shell completes it."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer
from typer.testing import CliRunner

from gatepost.cli.commands import gatepost
from gatepost.server.__main__ import OPTIONS, parser


def commands(group: typer.Typer = gatepost, *path: str) -> Iterator[tuple[str, ...]]:
    """The words of every command and every group of commands, the empty ones of `gatepost` itself included."""
    yield path
    for item in group.registered_commands:
        assert item.callback is not None
        yield (*path, item.name or item.callback.__name__.strip("_"))
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from commands(inner.typer_instance, *path, str(inner.name))


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_help_has_a_sentence_and_an_example(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(gatepost, [*words, "--help"], prog_name="gatepost")

    assert shown.exit_code == 0
    assert re.search(rf"Example: .*gatepost {' '.join(words)}", shown.stdout), shown.stdout
    assert re.search(r"^  [A-Z].*[.:]", shown.stdout, re.M)


@pytest.mark.parametrize("group", ["", "users", "migrate", "limits", "openapi", "config", "alerts"])
def test_a_list_of_commands_has_whole_sentences(group: str) -> None:
    shown = CliRunner().invoke(gatepost, [*group.split(), "--help"], prog_name="gatepost", env={"COLUMNS": "80"})

    listed = shown.stdout.split("Commands:")[1].splitlines()
    assert [line for line in listed if line.rstrip().endswith("...")] == []


def test_the_serving_command_has_the_options_that_are_completed() -> None:
    listed = CliRunner().invoke(gatepost, ["serve", "--help"]).stdout
    assert set(re.findall(r"--(\w+)", listed)) == {*OPTIONS, "help"}
    assert "gatepost serve shop.app:app --port 8080 --workers 4" in parser().format_help()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("gatepost mig", "migrate"),
        ("gatepost migrate ad", "adopt"),
        ("gatepost serve --wor", "--workers"),
        ("gatepost users create --password-", "--password-stdin"),
    ],
)
def test_the_shell_completes(typed: str, offered: str) -> None:
    asking = {"_GATEPOST_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" "))}
    program = "from gatepost.cli.main import main; main()"
    completed = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **asking}, capture_output=True, text=True, check=True
    )
    assert completed.stdout.split() == [offered]
