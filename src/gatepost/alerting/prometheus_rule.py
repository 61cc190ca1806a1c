"""`Rule`: an alert of Prometheus."""

from typing import NamedTuple


class Rule(NamedTuple):
    """An alert: `expression` holds for `for_seconds`."""

    name: str
    expression: str
    for_seconds: float
    severity: str
    summary: str
