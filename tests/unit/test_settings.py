"""Settings are read from the environment once; what is wrong is a sentence that names the variable."""

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from gatepost.environment import load_settings, unknown_variables
from gatepost.errors import ConfigurationError
from gatepost.settings import Settings

PRODUCTION = {"GATEPOST_ENV": "production"}


def items() -> Iterator["dataclasses.Field[Any]"]:
    """Every setting of every concern."""
    for concern in dataclasses.fields(Settings):
        yield from dataclasses.fields(getattr(Settings(), concern.name))


def refusal_of(environ: dict[str, str]) -> str:
    """The sentence that refuses these settings."""
    with pytest.raises(ConfigurationError) as refusal:
        load_settings(environ)
    return str(refusal.value)


@pytest.mark.parametrize(
    ("variable", "text", "sentence"),
    [
        ("GATEPOST_PORT", "99999", "must be from 0 to 65535, is '99999'."),
        ("GATEPOST_PORT", "-1", "must be from 0 to 65535, is '-1'."),
        ("GATEPOST_PORT", "http", "is 'http', not a whole number."),
        ("GATEPOST_WORKERS", "0", "must be from 1 to 1024, is '0'."),
        ("GATEPOST_WORKERS", "1.5", "is '1.5', not a whole number."),
        ("GATEPOST_BODY_BYTES_MAX", "-5", "must be from 1 to 1099511627776, is '-5'."),
        ("GATEPOST_REQUEST_SECONDS", "soon", "is 'soon', not a number."),
        ("GATEPOST_REQUEST_SECONDS", "nan", "is 'nan', not a number."),
        ("GATEPOST_REQUEST_SECONDS", "inf", "is 'inf', not a number."),
        ("GATEPOST_COMPRESS", "perhaps", "is 'perhaps', neither true nor false. Write true or false."),
        ("GATEPOST_ENV", "prod", "must be one of development, production, is 'prod'."),
        ("GATEPOST_LOG_LEVEL", "loud", "must be one of debug, info, warning, error, is 'loud'."),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_variable(variable: str, text: str, sentence: str) -> None:
    assert refusal_of({variable: text}) == f"{variable}: {sentence}"


def test_a_database_that_is_not_postgresql_is_refused_without_showing_the_secret() -> None:
    sentence = refusal_of({"DATABASE_URL": "mysql://shop:hunter2@db/shop"})
    assert sentence == "DATABASE_URL: must begin with postgresql:// or postgres://."


def test_a_secret_is_read_from_a_file_or_from_its_variable_but_not_from_both(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgresql://db/shop\n")
    assert load_settings({"DATABASE_URL_FILE": str(file)}).database.url == "postgresql://db/shop"
    sentence = refusal_of({"DATABASE_URL_FILE": str(file), "DATABASE_URL": "postgresql://db/shop"})
    assert sentence == "DATABASE_URL: both DATABASE_URL and DATABASE_URL_FILE are set. Keep one."
    assert refusal_of({"DATABASE_URL_FILE": str(tmp_path / "gone")}).startswith(
        f"DATABASE_URL_FILE={tmp_path / 'gone'}"
    )


def numbers(kind: type) -> list[str]:
    """The variables of all settings that are numbers of a kind; there are some of each."""
    found = [
        item.metadata["variable"]
        for concern in get_type_hints(Settings).values()
        for item in dataclasses.fields(concern)
        if get_type_hints(concern)[item.name] in (kind, kind | None)
    ]
    assert found, kind
    return found


def test_no_secret_has_a_default() -> None:
    assert [item.metadata["variable"] for item in items() if item.metadata["secret"] and item.default is not None] == []


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        *itertools.product(numbers(float), ["-1", "1e308"]),
        *itertools.product(numbers(int), ["-1", "1" + "0" * 400]),
    ],
)
def test_every_number_has_a_lowest_and_a_highest_value(variable: str, text: str) -> None:
    assert refusal_of({variable: text}).startswith(f"{variable}: must be from ")


def test_text_that_is_not_utf_8_is_refused() -> None:
    assert refusal_of({"GATEPOST_HOST": "h\udcff"}) == ("GATEPOST_HOST: is not UTF-8. Write its characters in UTF-8.")


def test_development_raises_the_limits_a_hundredfold_and_production_does_not() -> None:
    assert str(load_settings({}).gate.api_limit) == "10000 / 15 min"
    assert str(load_settings({}).gate.auth_limit) == "500 / 15 min"
    assert str(load_settings(PRODUCTION).gate.api_limit) == "100 / 15 min"
    assert str(load_settings(PRODUCTION).gate.auth_limit) == "5 / 15 min"


def test_an_empty_variable_is_none() -> None:
    assert load_settings({"GATEPOST_PORT": "", "DATABASE_URL": ""}) == load_settings({})


def test_what_looks_like_a_setting_and_is_none_is_found_with_the_one_that_is_meant() -> None:
    environ = {
        "GATEPOST_PROT": "1",
        "GATEPOST_ENVIRONMENT": "production",
        "GATEPOST_BREAKFAST_RECIPE": "red",
        "GATEPOST_PORT": "1",
        "GATEPOST_APP": "app:app",
        "GATEPOST_SIGNING_KEY_FILE": "key.pem",
        "DATABASE_URI": "",
    }
    assert dict(unknown_variables(environ)) == {
        "GATEPOST_PROT": "GATEPOST_PORT",
        "GATEPOST_ENVIRONMENT": "GATEPOST_ENV",
        "GATEPOST_BREAKFAST_RECIPE": None,
    }


def test_what_kubernetes_sets_for_a_service_is_not_taken_for_a_setting() -> None:
    names = ["GATEPOST_SERVICE_HOST", "GATEPOST_SERVICE_PORT_HTTP", "GATEPOST_PORT_8000_TCP_ADDR"]
    assert dict(unknown_variables(dict.fromkeys(names, "x"))) == {}
