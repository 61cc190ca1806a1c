"""Conditional requests for files (RFC 9110, section 13): whether a client has the file already, and whether it may
continue with what it has.
"""

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from gatepost.call import Call
from gatepost.controllers.responses import is_unchanged, strong_tags
from gatepost.errors import PreconditionFailed


class Validators:
    """What tells one state of a file from another: its entity tag, and when it was changed."""

    def __init__(self, tag: str | None, modified: datetime | None) -> None:
        self.tag = tag
        self.modified = None if modified is None else modified.astimezone(UTC).replace(microsecond=0)

    def headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """The headers that say so."""
        found: tuple[tuple[bytes, bytes], ...] = ()
        if self.tag is not None:
            found += ((b"etag", b'"%b"' % self.tag.encode()),)
        if self.modified is not None:
            found += ((b"last-modified", format_datetime(self.modified, usegmt=True).encode()),)
        return found

    def is_known(self, call: Call) -> bool:
        """Whether the client has the file already: a 304. Raises 412 `precondition_failed` where it asks for another
        state, and `BadRequest` for what is malformed. In the order of RFC 9110, section 13.2.2."""
        headers = call.headers
        if (wanted := headers.get(b"if-match")) is not None:
            tags = strong_tags(wanted)
            if tags is not None and self.tag not in tags:
                raise _failed()
        elif self._is_newer_than(headers.get(b"if-unmodified-since")):
            raise _failed()
        if (unless := headers.get(b"if-none-match")) is not None:
            return unless.strip() == b"*" or is_unchanged(unless, self.tag)
        since = _date(headers.get(b"if-modified-since"))
        return since is not None and self.modified is not None and self.modified <= since

    def may_continue(self, call: Call) -> bool:
        """Whether ranges may be sent: without `If-Range`, or where it names this very state (section 13.1.5)."""
        condition = call.headers.get(b"if-range")
        if condition is None:
            return True
        if condition.strip().startswith(b'"'):
            return self.tag is not None and condition.strip() == b'"%b"' % self.tag.encode()
        moment = _date(condition)
        # A date is strong only where the file was not changed twice within the second that it names (section 8.8.2.2).
        return moment is not None and moment == self.modified and moment < datetime.now(UTC).replace(microsecond=0)

    def _is_newer_than(self, header: bytes | None) -> bool:
        moment = _date(header)
        return moment is not None and self.modified is not None and self.modified > moment


def _date(header: bytes | None) -> datetime | None:
    """A date of HTTP; None where it is none."""
    if header is None or not header.isascii():
        return None
    try:
        found = parsedate_to_datetime(header.decode())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _failed() -> PreconditionFailed:
    return PreconditionFailed("precondition_failed", "The file is not the one that the request asks for.")
