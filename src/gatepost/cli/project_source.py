"""Where the Gatepost of a new project comes from: as a requirement names it that pip and uv read."""

import importlib.metadata
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec

from gatepost.errors import ConfigurationError

_SCHEMES = ("git+https", "git+ssh", "git+file", "https", "file")


class ProjectSource(NamedTuple):
    """A URL, or None for the package index."""

    url: str | None

    def requirement(self, extra: str = "") -> str:
        """The line in `dependencies`."""
        name = f"gatepost[{extra}]" if extra else "gatepost"
        return f"{name}>={importlib.metadata.version('gatepost')}" if self.url is None else f"{name} @ {self.url}"

    @property
    def folder(self) -> Path | None:
        """The folder on this machine that it is; None for what others can reach."""
        parts = urlsplit(self.url or "")
        return Path(unquote(parts.path)) if parts.scheme == "file" else None


def source_of(given: str | None) -> ProjectSource:
    """The one that is given, a URL or a folder; else the one that this Gatepost was installed from (PEP 610).

    Raises ConfigurationError for what is neither.
    """
    if given is None:
        return ProjectSource(_own_url())
    if urlsplit(given).scheme in _SCHEMES:
        return ProjectSource(given)
    folder = Path(given).resolve()
    if not (folder / "pyproject.toml").is_file():
        raise ConfigurationError(
            f"{given!r} is neither a URL nor a folder with Gatepost.",
            location="--gatepost",
            hint="Write git+https://host/path/gatepost@revision, or the path of a clone.",
        )
    return ProjectSource(folder.as_uri())


class _Vcs(msgspec.Struct):
    vcs: str
    commit_id: str


class _DirectURL(msgspec.Struct):
    url: str
    vcs_info: _Vcs | None = None


def _own_url() -> str | None:
    text = importlib.metadata.distribution("gatepost").read_text("direct_url.json")
    if text is None:
        return None
    direct = msgspec.json.decode(text, type=_DirectURL)
    return direct.url if direct.vcs_info is None else f"{direct.vcs_info.vcs}+{direct.url}@{direct.vcs_info.commit_id}"
