"""Passwords: argon2id (RFC 9106) in dedicated threads, off the event loop.

The parameters are a decision: 19 MiB, 2 passes, 1 lane. Of the equivalent OWASP Password Storage recommendations this
one needs little memory without many passes; two verifications at once stay below 40 MiB, within a worker's 110 MiB. One
takes about 30 ms of a core.
"""

import asyncio
import base64
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from gatepost.errors import ConfigurationError, FieldError, ServiceUnavailable

T = TypeVar("T")

PASSES = 2
MEMORY_KIB = 19_456
LANES = 1
HASH_BYTES = 32
SALT_BYTES = 16

THREADS = 2
WAITING_MAX = 30
"""Sign-ins that may wait for a thread: about half a second of work. Further ones are refused."""

LENGTH_MIN = 8
LENGTH_MAX = 256
BYTES_MAX = 1024


def check_new_password(password: str) -> None:
    """Raise `ConfigurationError` for a new password that is too short or too long."""
    if not LENGTH_MIN <= len(password) <= LENGTH_MAX or len(password.encode("utf-8", "replace")) > BYTES_MAX:
        raise ConfigurationError(
            f"The password has {len(password)} characters.",
            hint=f"Choose one of {LENGTH_MIN} to {LENGTH_MAX} characters ({BYTES_MAX} bytes at most).",
        )


def new_password_violations(password: str) -> list[FieldError]:
    """What is wrong with a new password, as a violation of a body's `password`."""
    if len(password) < LENGTH_MIN:
        detail = f"The password has fewer than {LENGTH_MIN} characters."
        return [FieldError("/password", "too_short", detail, {"min": LENGTH_MIN})]
    if len(password) > LENGTH_MAX:
        detail = f"The password has more than {LENGTH_MAX} characters."
        return [FieldError("/password", "too_long", detail, {"max": LENGTH_MAX})]
    if not is_encodable(password):
        return [FieldError("/password", "invalid_text", "The password has a character that UTF-8 cannot express.")]
    if len(password.encode()) > BYTES_MAX:
        return [FieldError("/password", "too_long", f"The password has more than {BYTES_MAX} bytes.")]
    return []


def is_encodable(text: str) -> bool:
    """Whether UTF-8 can express a text: JSON can name halves of characters."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


class Passwords:
    """Hashes and verifies. At most THREADS at once, and WAITING_MAX more waiting; then 503 `sign_in_busy`."""

    def __init__(self, *, threads: int = THREADS, waiting_max: int = WAITING_MAX) -> None:
        self._hasher = PasswordHasher(PASSES, MEMORY_KIB, LANES, HASH_BYTES, SALT_BYTES, type=Type.ID)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        self._room = threading.BoundedSemaphore(threads + waiting_max)
        self._dummy_hash = dummy_hash()

    async def hash(self, password: str) -> str:
        """The hash to store, with its parameters and salt inside."""
        return await self._in_thread(lambda: self._hash(password))

    async def verify(self, stored: str | None, password: str) -> bool:
        """True where the password is the one that was hashed. None takes the same time and is never true."""
        return await self._in_thread(lambda: self._verify(stored, password))

    def needs_rehash(self, stored: str) -> bool:
        """True where the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)

    def close(self) -> None:
        """Let the threads end when their work is done; do not wait."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _hash(self, password: str) -> str:
        return self._hasher.hash(password)

    def _verify(self, stored: str | None, password: str) -> bool:
        try:
            return self._hasher.verify(self._dummy_hash if stored is None else stored, password) and stored is not None
        except VerificationError:
            return False
        except InvalidHashError:
            return self._verify(None, password)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if not self._room.acquire(blocking=False):
            raise ServiceUnavailable("sign_in_busy", "Too many sign-ins at once; try again shortly.")
        job: Future[T] = self._threads.submit(work)
        # Released when the work ends, not when the client stops waiting: the thread is busy until then.
        job.add_done_callback(lambda _: self._room.release())
        return await asyncio.wrap_future(job)


def dummy_hash() -> str:
    """A hash that no password has, and that takes as long to verify as a real one: for e-mails without a user."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(length)).rstrip(b"=").decode() for length in (SALT_BYTES, HASH_BYTES)
    )
    return f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${digest}"
