"""The reference page and the list of settings are made from the settings themselves."""

import dataclasses
from pathlib import Path

from gatepost.cli.config import CONCERNS, reference_page
from gatepost.environment import load_settings
from gatepost.server.setting_rows import setting_rows
from gatepost.settings import Settings

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "settings.md"


def test_the_reference_page_is_what_the_settings_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_page(), (
        "run: python -m gatepost.cli.config > docs/reference/settings.md"
    )


def test_a_secret_is_masked_and_its_source_told(tmp_path: Path) -> None:
    key = tmp_path / "url"
    key.write_text("postgresql://shop:hunter2@db/shop")
    environ = {"DATABASE_URL_FILE": str(key), "GATEPOST_PORT": "8123"}
    rows = {row["variable"]: row for row in setting_rows(load_settings(environ), environ)}
    assert (rows["DATABASE_URL"]["value"], rows["DATABASE_URL"]["source"]) == ("***", "DATABASE_URL_FILE")
    assert (rows["GATEPOST_PORT"]["value"], rows["GATEPOST_PORT"]["source"]) == ("8123", "environment")
    assert (rows["GATEPOST_HOST"]["value"], rows["GATEPOST_HOST"]["source"]) == ("127.0.0.1", "default")
    assert "hunter2" not in str(rows)


def test_every_concern_is_shown() -> None:
    assert CONCERNS.keys() == {item.name for item in dataclasses.fields(Settings)}
