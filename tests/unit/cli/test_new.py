"""`gatepost new`: what it makes, and what it refuses to."""

import importlib.metadata
import json
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from gatepost.cli.new import TEMPLATE, make_project
from gatepost.cli.project_source import ProjectSource, source_of
from gatepost.errors import ConfigurationError

INDEX = ProjectSource(None)
ROOT = Path(__file__).parents[3]


def test_a_project_has_its_files_with_its_name(tmp_path: Path) -> None:
    folder = make_project("my-shop", tmp_path, INDEX)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == sorted(TEMPLATE)
    assert 'name = "my-shop"' in (folder / "pyproject.toml").read_text()
    assert not any(re.search(r"(?<!\$)\{\{", path.read_text()) for path in folder.rglob("*") if path.is_file())


def test_neither_git_nor_an_image_gets_the_secrets_that_texts_tell_users_to_make(tmp_path: Path) -> None:
    folder = make_project("shop", tmp_path, INDEX)
    texts = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("src/**/*.py"), *folder.glob("*.md")]
    named = {name for path in texts for name in re.findall(r"[\w-]+\.(?:pem|env)\b", path.read_text())}
    secrets = {*named, ".env", ".env.production"}
    assert {"signing-key.pem", "shop.env"} <= secrets

    for ignoring in (".gitignore", ".dockerignore"):
        patterns = [line.removeprefix("**/") for line in (folder / ignoring).read_text().splitlines()]
        assert {name for name in secrets if not any(fnmatch(name, pattern) for pattern in patterns)} == set()


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    assert (make_project("shop", tmp_path, INDEX) / "app.py").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "mine.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="is not empty"):
        make_project("shop", tmp_path, INDEX)
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "name", ["", "Shop", "my shop", "../shop", "1shop", "shop/x", "-shop", "shop-", "class", "json", "app", "ä" * 3]
)
def test_a_name_that_cannot_be_one_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError):
        make_project(name, tmp_path, INDEX)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "requirement"),
    [
        ("git+https://example.com/gatepost@main", "gatepost @ git+https://example.com/gatepost@main"),
        (str(ROOT), f"gatepost @ {ROOT.as_uri()}"),
        (ROOT.as_uri(), f"gatepost @ {ROOT.as_uri()}"),
    ],
)
def test_a_project_depends_on_the_gatepost_that_is_named(tmp_path: Path, source: str, requirement: str) -> None:
    folder = make_project("shop", tmp_path, source_of(source))
    project = tomllib.loads((folder / "pyproject.toml").read_text())

    assert project["project"]["dependencies"] == [requirement]
    assert project["dependency-groups"]["dev"][0] == requirement.replace("gatepost ", "gatepost[embedded] ", 1)
    assert requirement.partition(" @ ")[2] in (folder / "README.md").read_text()
    container = (folder / "Containerfile").read_text()
    is_folder = not source.startswith("git")
    assert (f"--build-context gatepost={ROOT} ." in container) == is_folder
    assert ("COPY --from=gatepost src /srv/gatepost/src\n" in container) == is_folder
    assert "COPY . .\n" in container or is_folder


class Installed:
    """A distribution as pip installed it."""

    version = importlib.metadata.version("gatepost")

    def __init__(self, direct_url: object) -> None:
        self._text = None if direct_url is None else json.dumps(direct_url)

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return self._text


@pytest.mark.parametrize(
    ("direct_url", "requirement"),
    [
        (None, f"gatepost>={importlib.metadata.version('gatepost')}"),
        ({"url": "file:///srv/gatepost", "dir_info": {"editable": True}}, "gatepost @ file:///srv/gatepost"),
        (
            {"url": "https://example.com/gatepost", "vcs_info": {"vcs": "git", "commit_id": "1f2e"}},
            "gatepost @ git+https://example.com/gatepost@1f2e",
        ),
        (
            {"url": "https://example.com/gatepost.whl", "archive_info": {}},
            "gatepost @ https://example.com/gatepost.whl",
        ),
    ],
)
def test_a_project_depends_on_the_gatepost_that_made_it(
    monkeypatch: pytest.MonkeyPatch, direct_url: object, requirement: str
) -> None:
    def distribution(_name: str) -> Installed:
        return Installed(direct_url)

    monkeypatch.setattr(importlib.metadata, "distribution", distribution)

    assert source_of(None).requirement() == requirement


def test_a_source_that_is_neither_a_url_nor_a_folder_of_it_is_refused(tmp_path: Path) -> None:
    for given in ("no/such/folder", str(tmp_path), "1.2"):
        with pytest.raises(ConfigurationError, match="neither a URL nor a folder"):
            source_of(given)
