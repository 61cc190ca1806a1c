"""Settings as the environment has them: read, converted and checked."""

import dataclasses
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from gatepost.errors import ConfigurationError
from gatepost.hints import nearest
from gatepost.setting_fields import SettingCheck
from gatepost.settings import Settings

C = TypeVar("C")

APP_VARIABLE = "GATEPOST_APP"
"""Which application the commands load; not a setting of the application itself."""

DRAIN_DELAY_SECONDS = 3.0
"""Long enough for a load balancer that probes every second or two to notice that a server is about to stop."""

_LIKENESS_MIN = 0.7
"""High, because all names begin with the same nine letters."""

_SERVICE_LINK = re.compile(r"GATEPOST_(?:\w+_)?(?:SERVICE_(?:HOST|PORT)|PORT_[0-9]+_)")
"""What Kubernetes puts into the environment for a service whose name begins with gatepost."""


def load_settings(environ: Mapping[str, str]) -> Settings:
    """Read and check all settings; raises `ConfigurationError` that names the variable and what to do."""
    settings = Settings(**{name: _read(concern, environ) for name, concern in get_type_hints(Settings).items()})
    if settings.server.drain_delay_seconds is None:
        delay = DRAIN_DELAY_SECONDS if settings.is_production else 0.0
        server = dataclasses.replace(settings.server, drain_delay_seconds=delay)
        settings = dataclasses.replace(settings, server=server)
    if settings.gate.limit_factor is None and not settings.is_production:
        gate = dataclasses.replace(settings.gate, limit_factor=100)
        settings = dataclasses.replace(settings, gate=gate)
    return settings


def unknown_variables(environ: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """Variables that look like settings but are not, each with the most similar setting, if any.

    They do not prevent a start: another version, or a program beside this one, may use them.
    """
    names = (name for name in environ if name.startswith("GATEPOST_") and not _SERVICE_LINK.match(name))
    return unknown_settings(names)


def unknown_settings(names: Iterable[str]) -> Iterator[tuple[str, str | None]]:
    """Those that are not settings, each with the most similar setting, if any."""
    variables = _variables()
    known = {APP_VARIABLE, *variables, *(f"{name}_FILE" for name, secret in variables.items() if secret)}
    for name in sorted(set(names) - known):
        yield name, nearest(name, variables, likeness=_LIKENESS_MIN)


def _variables() -> dict[str, bool]:
    """Every variable, and whether it is a secret."""
    concerns = get_type_hints(Settings).values()
    items = [item.metadata for concern in concerns for item in dataclasses.fields(concern)]
    return {item["variable"]: item["secret"] for item in items}


def _read(concern: type[C], environ: Mapping[str, str]) -> C:
    hints = get_type_hints(concern)
    values: dict[str, Any] = {}
    for item in dataclasses.fields(concern):  # type: ignore[arg-type]
        variable: str = item.metadata["variable"]
        text = _text(variable, environ, secret=item.metadata["secret"])
        if text is None:
            continue
        value = _convert(variable, text, hints[item.name])
        check: SettingCheck | None = item.metadata["check"]
        if check is not None and (fault := check(value)) is not None:
            # A secret is never shown, not even an invalid one.
            shown = "" if item.metadata["secret"] else f", is {text!r}"
            raise ConfigurationError(f"{fault}{shown}.", location=variable)
        values[item.name] = value
    return concern(**values)


def _text(variable: str, environ: Mapping[str, str], *, secret: bool) -> str | None:
    if secret and (path := environ.get(f"{variable}_FILE")):
        if variable in environ:
            both = f"both {variable} and {variable}_FILE are set."
            raise ConfigurationError(both, location=variable, hint="Keep one.")
        try:
            secret_text = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"cannot be read: {error}.", location=f"{variable}_FILE={path}") from None
        if not secret_text:
            raise ConfigurationError("is empty.", location=f"{variable}_FILE={path}", hint="Write the secret into it.")
        return secret_text
    text = environ.get(variable) or None
    try:
        (text or "").encode()
    except UnicodeEncodeError:
        raise ConfigurationError("is not UTF-8.", location=variable, hint="Write its characters in UTF-8.") from None
    return text


def _convert(variable: str, text: str, wanted: Any) -> Any:
    if wanted == tuple[str, ...]:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if wanted is bool:
        if text.lower() in ("1", "true", "yes", "on"):
            return True
        if text.lower() in ("0", "false", "no", "off"):
            return False
        hint = "Write true or false."
        raise ConfigurationError(f"is {text!r}, neither true nor false.", location=variable, hint=hint)
    for number, kind in ((int, "a whole number"), (float, "a number")):
        if wanted in (number, number | None):
            try:
                return _finite(number(text))
            except ValueError:
                raise ConfigurationError(f"is {text!r}, not {kind}.", location=variable) from None
    return text


def _finite(value: float) -> float:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(value)
    return value
