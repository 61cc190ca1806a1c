"""`gatepost new`: what it makes, and what it refuses to."""

from pathlib import Path

import pytest

from gatepost.cli.new import TEMPLATE, make_project
from gatepost.errors import ConfigurationError


def test_a_project_has_its_files_with_its_name(tmp_path: Path) -> None:
    folder = make_project("my-shop", tmp_path)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == sorted(TEMPLATE)
    assert 'name = "my-shop"' in (folder / "pyproject.toml").read_text()
    assert not any("{{" in path.read_text() for path in folder.rglob("*") if path.is_file())


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    assert (make_project("shop", tmp_path) / "app.py").exists()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "mine.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="is not empty"):
        make_project("shop", tmp_path)
    assert [path.name for path in (tmp_path / "shop").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "name", ["", "Shop", "my shop", "../shop", "1shop", "shop/x", "-shop", "shop-", "class", "json", "app", "ä" * 3]
)
def test_a_name_that_cannot_be_one_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError):
        make_project(name, tmp_path)
    assert list(tmp_path.iterdir()) == []
