"""The fields of settings: the variable, unit, description and check of each.

A foundation.
"""

import re
from collections.abc import Callable
from dataclasses import field
from typing import Any

from gatepost.dsn import DSN_HINT, is_readable_dsn

DAY_SECONDS = 86_400
"""The longest duration that a setting takes; timers and `statement_timeout` overflow far above."""

_UNITS = {"_SECONDS": "s", "_SECONDS_MAX": "s", "_MINUTES": "min", "_BYTES_MAX": "bytes"}

SettingCheck = Callable[[Any], str | None]


def between(lowest: float, highest: float) -> SettingCheck:
    """A check that a number is within these bounds."""
    return lambda value: None if lowest <= value <= highest else f"must be from {lowest:.15g} to {highest:.15g}"


def one_of(*choices: str) -> SettingCheck:
    """A check that a text is one of the choices."""
    return lambda value: None if value in choices else f"must be one of {', '.join(choices)}"


def check_dsn(value: str) -> str | None:
    """What is wrong with a PostgreSQL DSN; no part of it is named, because it may be one of the password."""
    if not value.startswith(("postgresql://", "postgres://")):
        return "must begin with postgresql:// or postgres://"
    return None if is_readable_dsn(value) else f"cannot be read. {DSN_HINT.rstrip('.')}"


def check_base_url(value: str) -> str | None:
    """What is wrong with the URL of a folder of pages."""
    if re.fullmatch(r"https?://[\w.:\[\]-]+(?:/[\w.~%/-]*)?", value, re.ASCII):
        return None
    return "must be a URL such as https://shop.example/problems, without a query"


def check_backup_store(value: str) -> str | None:
    """What is wrong with the place of backups: commands that PostgreSQL runs have another working folder."""
    if re.fullmatch(r"/[^\0]*", value) or re.fullmatch(
        r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[\w.~/-]*)?", value, re.ASCII
    ):
        return None
    return "must be a folder from the root on, as /var/backups/shop, or s3://bucket/prefix"


def check_instance(value: str) -> str | None:
    """What is wrong with the name of an instance: it names a folder, and stands in addresses."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}", value):
        return None
    return "must be up to 100 letters and digits, with . _ : - between them"


def check_release(value: str) -> str | None:
    """What is wrong with the name of a release: it stands in records, mails and the database."""
    return None if len(value) <= 100 and value.isprintable() else "must be up to 100 printable characters"


def check_demo_user(value: str) -> str | None:
    email, colon, password = value.partition(":")
    return None if email and colon and password else "must be an e-mail and a password, such as ada@shop.example:secret"


def setting(
    variable: str, default: Any, description: str, *, check: SettingCheck | None = None, secret: bool = False
) -> Any:
    """A dataclass field that is read from an environment variable, whose name ends in the unit."""
    metadata = {
        "variable": variable,
        "description": description,
        "unit": next((unit for suffix, unit in _UNITS.items() if variable.endswith(suffix)), ""),
        "check": check,
        "secret": secret,
    }
    return field(default=default, metadata=metadata)
