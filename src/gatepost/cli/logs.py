"""`gatepost logs`: the last lines of the log files, and those that come, for people or as they are."""

import ipaddress
import sys
from pathlib import Path
from typing import Any

from gatepost.cli.durations import moment_in, seconds_in
from gatepost.cli.settings import DATA_FOLDER
from gatepost.errors import ConfigurationError
from gatepost.logging.console import is_coloured, print_success, shown_level
from gatepost.logging.reading import LineFilter, fields_of, follow, last_lines
from gatepost.logging.records import shown_exception
from gatepost.logging.text import escaped
from gatepost.moments import shown_moment

_SENDERS = {"client": "client", "actor": "actor_id"}
_SHOWN_APART = ("time", "level", "category", "source", "event", "exception", "logger")


def print_logs(folder: Path | None, wanted: LineFilter, *, count: int, follows: bool, as_json: bool) -> None:
    """Print lines until there are no more, or with `follows` until Ctrl-C. Raises ConfigurationError where there are no
    log files."""
    found = folder or configured_folder()
    if not (found / "combined.log").exists():
        raise ConfigurationError(
            f"There are no log files in {found}.",
            hint="Name their folder with --folder, or set GATEPOST_LOG_FOLDER, which `gatepost serve` writes to.",
        )
    is_colourful = is_coloured(sys.stdout)
    try:
        lines = last_lines(found, wanted, count)
        for line in lines:
            _print(line, as_json=as_json, is_colourful=is_colourful)
        if not lines and not follows and not as_json and count:
            sys.stderr.write(f"No line of the log files in {escaped(str(found))} is like that.\n")
        if follows:
            sys.stdout.flush()
            for line in follow(found, wanted):
                _print(line, as_json=as_json, is_colourful=is_colourful)
                sys.stdout.flush()
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise ConfigurationError(f"{error.filename} cannot be read: {error.strerror}.") from None


def change_level(category: str, level: str | None, duration: str, *, port: int | None) -> None:
    """Change a level of the server on this port for as long as `duration` says. Raises ConfigurationError."""
    from gatepost.cli.admin_client import ask

    seconds = seconds_in(duration, "--for")
    found = ask("PUT", f"/logs/levels/{category}", {"level": level, "seconds": seconds}, port=port)
    changed = found["changed"].get(category)
    if changed is None:
        print_success(f"{category} writes what the settings say.")
    else:
        print_success(f"{category} writes from {changed['level']} on, until {changed['until']}.")


def configured_folder() -> Path:
    """Where this project's servers write their log files."""
    from gatepost.cli.settings import quiet_settings

    folder = quiet_settings().log.folder
    return DATA_FOLDER / "logs" if folder is None else Path(folder)


def check_client(text: str) -> None:
    """Raises ConfigurationError for what is neither an address nor a network."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ConfigurationError(
            f"{text!r} is not an address.", location="--client", hint="Write 203.0.113.9 or 203.0.113.0/24."
        ) from None


def moment_of(text: str) -> str:
    """`10m`, `2h`, `3d` ago, or a moment, as the lines have it. Raises ConfigurationError."""
    return shown_moment(moment_in(text, "--since"))


def _print(line: bytes, *, as_json: bool, is_colourful: bool) -> None:
    fields = None if as_json else fields_of(line)
    if fields is None:
        sys.stdout.write(escaped(line.decode(errors="backslashreplace").rstrip("\n")) + "\n")
    else:
        sys.stdout.write(shown_line(fields, is_colourful=is_colourful) + "\n")


def shown_line(fields: dict[str, Any], *, is_colourful: bool) -> str:
    """A line for people: time, level, layer, what happened; the fields; a traceback below."""
    mark = shown_level(_text(fields, "level"), 8, coloured=is_colourful)
    moment = _text(fields, "time")
    said = _request_words(fields) if fields.get("category") == "access" else _words(fields)
    exception = fields.get("exception")
    return f"{moment} {mark} {said}" + (f"\n{shown_exception(str(exception))}" if exception else "")


def _request_words(fields: dict[str, Any]) -> str:
    seconds = fields.get("seconds")
    words = [fields.get("status"), fields.get("method"), fields.get("path")]
    words += [f"{seconds * 1000:.1f} ms" if isinstance(seconds, int | float) else None, fields.get("code")]
    words += [f"{name}={fields[key]}" for name, key in _SENDERS.items() if fields.get(key) is not None]
    return " ".join([*(escaped(str(word)) for word in words if word is not None), f"[{_text(fields, 'request_id')}]"])


def _words(fields: dict[str, Any]) -> str:
    others = {key: value for key, value in fields.items() if key not in _SHOWN_APART and value is not None}
    said = " ".join(f"{escaped(key)}={escaped(str(value))}" for key, value in others.items())
    return f"{_text(fields, 'source')}: {_text(fields, 'event')} {said}".rstrip()


def _text(fields: dict[str, Any], name: str) -> str:
    return escaped(str(fields.get(name, "")))
