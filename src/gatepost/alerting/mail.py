"""`MailSender`: sends messages by SMTP."""

import asyncio
import ssl
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid, parseaddr
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from gatepost.alerting.loopback import is_loopback
from gatepost.alerting.messages import AlertMessage
from gatepost.alerting.undelivered import Undelivered
from gatepost.errors import ConfigurationError

COMMAND_SECONDS = 10.0
SECONDS_MAX = 30.0
"""For a whole mail: a server that answers each command in time may still take for ever."""

_PORTS = {"smtp": 587, "smtps": 465}
URL_FORM = "smtp://user:password@host:587 (with STARTTLS), or smtps://user:password@host:465"


class SMTPServer(msgspec.Struct, frozen=True):
    """Where mail is handed in. `start_tls` is required where it is true; without it and `is_tls` all is plain text."""

    host: str
    port: int
    user: str | None
    password: str | None
    is_tls: bool
    start_tls: bool

    @property
    def shows_password(self) -> bool:
        """Whether it sends a password through a network in plain text."""
        return self.password is not None and not (self.is_tls or self.start_tls or is_loopback(self.host))


def smtp_server(url: str) -> SMTPServer:
    """The server of a URL. Raises ConfigurationError, which does not show it."""
    try:
        parts = urlsplit(url)
        port, query = parts.port, parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        raise _unreadable() from None
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or set(query) - {"tls"}:
        raise _unreadable()
    if query.get("tls", ["none"]) != ["none"] or (parts.username is None) != (parts.password is None):
        raise _unreadable()
    is_tls = parts.scheme == "smtps"
    return SMTPServer(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
        is_tls=is_tls,
        # A server on this machine has a certificate of its own, if any, and nobody between.
        start_tls=not is_tls and "tls" not in query and not is_loopback(parts.hostname),
    )


def _unreadable() -> ConfigurationError:
    hint = f"Write {URL_FORM}; ?tls=none sends without TLS. Escape special characters of a password: %40 for @."
    return ConfigurationError("cannot be read.", location="GATEPOST_SMTP_URL", hint=hint)


def checked_address(variable: str, address: str) -> str:
    """An e-mail address, perhaps with a name. Raises ConfigurationError."""
    _, plain = parseaddr(address)
    local, _, domain = plain.rpartition("@")
    if not (local and domain and plain.isprintable() and " " not in plain and address.isprintable()):
        raise ConfigurationError(f"{address!r} is not an e-mail address.", location=variable)
    return address


class MailSender:
    """Sends to these addresses."""

    name = "mail"

    def __init__(self, server: SMTPServer, sender: str, recipients: tuple[str, ...]) -> None:
        self._server = server
        self._sender = sender
        self._recipients = recipients
        self._domain = parseaddr(sender)[1].rpartition("@")[2]

    async def send(self, id: str, message: AlertMessage) -> str:
        """Hand a mail in. Returns what the server said. Raises Undelivered."""
        import aiosmtplib

        server = self._server
        try:
            async with asyncio.timeout(SECONDS_MAX):
                refused, said = await aiosmtplib.send(
                    self._mail(id, message),
                    hostname=server.host,
                    port=server.port,
                    username=server.user,
                    password=server.password,
                    use_tls=server.is_tls,
                    start_tls=server.start_tls,
                    timeout=COMMAND_SECONDS,
                    tls_context=ssl.create_default_context() if server.is_tls or server.start_tls else None,
                )
        except TimeoutError:
            raise Undelivered(f"{server.host}:{server.port} does not answer in time") from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            raise Undelivered(f"{server.host}:{server.port}: {_reason(error)}") from None
        if refused:
            return f"{said}; refused: {', '.join(sorted(refused))}"
        return said

    def _mail(self, id: str, message: AlertMessage) -> EmailMessage:
        mail = EmailMessage(policy=SMTP)
        mail["From"] = self._sender
        mail["To"] = ", ".join(self._recipients)
        mail["Subject"] = message.subject
        mail["Date"] = formatdate()
        # The same when it is sent again: who has it already shows it once.
        mail["Message-ID"] = f"<{id}@{self._domain}>" if self._domain else make_msgid()
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text)
        return mail


def _reason(error: Exception) -> str:
    """What is wrong, in a line. A server repeats of a password at most what it was sent encoded, which is cut off."""
    code = getattr(error, "code", None)
    kind = type(error).__name__
    if kind == "SMTPAuthenticationError":
        return f"it refuses the user and password ({code})"
    return " ".join(str(getattr(error, "message", "") or error or kind).split())[:200]
