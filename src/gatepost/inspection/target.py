"""What is examined: the address of a server and the path that is asked for."""

from urllib.parse import urlsplit

import msgspec

from gatepost.errors import ConfigurationError

LOOPBACK = ("localhost", "::1")


class Target(msgspec.Struct, frozen=True):
    """A URL, taken apart. `path` includes the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Host and port as `Host` names them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_tls else 80) else f"{host}:{self.port}"

    @property
    def is_tls(self) -> bool:
        """Whether it is spoken to through TLS."""
        return self.scheme == "https"

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine, where plain HTTP is safe."""
        return self.host in LOOPBACK or self.host.startswith("127.")

    @property
    def url(self) -> str:
        """The whole URL."""
        return f"{self.scheme}://{self.authority}{self.path}"


def target_of(url: str) -> Target:
    """The target that a URL names. Raises `ConfigurationError` for anything but the URL of a web server."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or not url.isascii() or " " in url:
        raise ConfigurationError(
            f"{url!r} is not a URL.", location="--gate", hint="Write http://127.0.0.1:8000/api/books."
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80), path)
