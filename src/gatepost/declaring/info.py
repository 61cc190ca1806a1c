"""What an app says of itself as a whole, for its OpenAPI document."""

from pathlib import Path
from typing import NamedTuple

_ORDINARY = ("__init__", "app", "main", "api", "asgi")
"""Names of modules that say nothing of the app: their folder does."""


class Info(NamedTuple):
    """The title, version and description of an API."""

    title: str
    version: str
    description: str


def title_of(source: str) -> str:
    """The title of an app that declares none: the name of the module, or of its package, at this `file:line`."""
    path = Path(source.rpartition(":")[0] or source)
    name = path.parent.name if path.stem in _ORDINARY else path.stem
    words = " ".join(name.replace("_", " ").replace("-", " ").split())
    return words[:1].upper() + words[1:] or "API"
