"""What `gatepost doctor` found out about one thing."""

import msgspec

from gatepost.errors import ConfigurationError


class DoctorFinding(msgspec.Struct, frozen=True):
    """One check: what was checked, whether it is in order, what was seen, and how to fix it.

    With `is_warning` the server still works, but not as well as it could.
    """

    check: str
    ok: bool
    detail: str
    hint: str | None = None
    is_warning: bool = False


def failed(check: str, error: ConfigurationError) -> DoctorFinding:
    """The finding that a refusal is."""
    if error.mistakes:
        return DoctorFinding(check, False, str(error))
    places = [place for place in (error.source, error.location) if place]
    return DoctorFinding(check, False, ": ".join([*places, error.message]), error.hint)
