"""Refuses settings that are unsafe in production, and warns of unknown variables. Called once, before the port opens.

Whether the values work (a readable key, a reachable database) is checked where they are used.
"""

from collections.abc import Mapping

from gatepost.alerting.channels import unsafe_alert_settings
from gatepost.environment import unknown_variables
from gatepost.errors import ConfigurationError
from gatepost.logging.console import print_warning
from gatepost.settings import Settings


def refuse_unsafe(settings: Settings) -> None:
    """Raise ConfigurationError that names every setting that is missing or unsafe; development may do anything."""
    if not settings.is_production:
        return
    problems = _unsafe_settings(settings)
    if problems:
        raise ConfigurationError(
            " ".join(problems),
            location="A production server does not start like this",
            hint="For development run `gatepost dev`, which needs none of these.",
        )


def warn_of_unknown(environ: Mapping[str, str]) -> None:
    """Warn of variables that look like settings but are not: behind a misspelt one the default stays in force."""
    for name, nearest in unknown_variables(environ):
        print_warning(unknown_variable_message(name, nearest))


def unknown_variable_message(name: str, nearest: str | None) -> str:
    """The warning about a variable that is not a setting."""
    hint = f" Did you mean {nearest}?" if nearest else ""
    return f"{name} is not a Gatepost setting and has no effect.{hint}"


def _unsafe_settings(settings: Settings) -> list[str]:
    found: list[str] = []
    if not settings.database.url:
        found.append("DATABASE_URL is not set: name the database, postgresql://user:password@host:port/database.")
    if not settings.auth.signing_key:
        found.append(
            "GATEPOST_SIGNING_KEY is not set: make one with `openssl genpkey -algorithm ed25519 -out signing-key.pem` "
            "and set GATEPOST_SIGNING_KEY_FILE=signing-key.pem."
        )
    if (settings.gate.limit_factor or 1) > 1:
        found.append("GATEPOST_LIMIT_FACTOR raises every limit: set the limits themselves instead.")
    if settings.server.demo_user:
        found.append("GATEPOST_DEMO_USER shows a password to everybody: leave it out.")
    return found + unsafe_alert_settings(settings)
