"""Cursors: the position where a page ends, opaque and sealed, so that a broken or forged one is detected.

A cursor is base64url of a seal (keyed BLAKE2b over resource, order and position) and the position as JSON. The key is
derived from the signing key and the epoch (`epoch.py`), so every instance reads the cursors of every other, and none
those from before a restore. A position that holds a value which
some clients must not see is encrypted, with the seal as its nonce (as in RFC 5297).

A long position is compressed. Pages are sorted by indexes, whose rows have at most 2.7 KB because PostgreSQL compresses
them: the texts may have a hundred times as many characters, for which no path has room.
"""

import hashlib
import hmac
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import msgspec

from gatepost.epoch import Epoch
from gatepost.errors import BadRequest, ServiceUnavailable

SEAL_BYTES = 9

COMPRESSED_FROM_BYTES = 512
"""Positions of so many bytes are compressed. Others begin with a bracket, which no compressed one does."""

_encode = msgspec.json.Encoder().encode


class Cursors:
    """Seals and opens the cursors of one app."""

    __slots__ = ("_epoch", "_key", "_secret")

    def __init__(self, secret: bytes, epoch: Epoch | None = None) -> None:
        self._secret = secret
        if epoch is None:
            epoch = Epoch()
            epoch.note(0)
        self._epoch = epoch
        self._derive_key()
        self._epoch.on_raise(self._derive_key)

    def _derive_key(self) -> None:
        epoch = self._epoch.value
        salt = epoch.to_bytes(8) if epoch else b""
        self._key = hashlib.blake2b(self._secret, digest_size=32, salt=salt, person=b"gatepost cursor").digest()

    def seal(self, context: bytes, values: tuple[Any, ...], *, is_secret: bool = False) -> str:
        """A cursor for a position. `context` names what it belongs to: resource and order."""
        payload = _encode(values)
        if len(payload) >= COMPRESSED_FROM_BYTES:
            payload = zlib.compress(payload)
        seal = self._seal(context, payload)
        if is_secret:
            payload = self._encrypted(seal, payload)
        return urlsafe_b64encode(seal + payload).decode().rstrip("=")

    def open(self, context: bytes, cursor: str, *, is_secret: bool = False) -> list[Any]:
        """The values of a cursor. Raises `BadRequest("invalid_cursor")` for one that this app did not seal for this
        context, and 503 `database_unavailable` for one that it may have sealed in an epoch that no database has told of
        yet."""
        try:
            sealed = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        except ValueError:
            raise broken_cursor() from None
        seal, payload = sealed[:SEAL_BYTES], sealed[SEAL_BYTES:]
        if is_secret:
            payload = self._encrypted(seal, payload)
        if not hmac.compare_digest(seal, self._seal(context, payload)):
            raise broken_cursor() if self._epoch.is_known else _unknown_epoch()
        if payload[:1] != b"[":
            payload = zlib.decompress(payload)
        values: list[Any] = msgspec.json.decode(payload)
        return values

    def _seal(self, context: bytes, payload: bytes) -> bytes:
        return hashlib.blake2b(context + b"\0" + payload, digest_size=SEAL_BYTES, key=self._key).digest()

    def _encrypted(self, seal: bytes, payload: bytes) -> bytes:
        """The payload encrypted, or decrypted: twice is the payload itself."""
        stream = hashlib.shake_256(self._key + seal).digest(len(payload))
        return bytes([byte ^ mask for byte, mask in zip(payload, stream, strict=True)])


def broken_cursor() -> BadRequest:
    """The refusal of a cursor that does not belong to this query."""
    return BadRequest("invalid_cursor", "The cursor is broken, or of another path or order; start without one.")


def _unknown_epoch() -> ServiceUnavailable:
    return ServiceUnavailable("database_unavailable", "The database is unavailable; try again shortly.")
