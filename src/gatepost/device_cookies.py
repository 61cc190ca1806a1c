"""Device cookies: they distinguish devices that have signed in before from others that try the same account.

After a successful sign-in the device gets a cookie that names it and the account, sealed with a key that is derived
from the signing key. The cookie gives no access. It only selects a separate rate limit bucket, so that an attacker who
exhausts the account's bucket from elsewhere cannot lock out its user (OWASP, "Slow down online guessing attacks with
device cookies").
"""

import hashlib
import hmac
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec

from gatepost.call import Call
from gatepost.errors import Header

COOKIE = "gatepost_device"
LIFETIME_SECONDS = 90 * 24 * 3600

_ACCOUNT_BYTES = 16
_ID_BYTES = 12
_TIME_BYTES = 6
_SEAL_BYTES = 16
_LENGTH = _ACCOUNT_BYTES + _ID_BYTES + _TIME_BYTES + _SEAL_BYTES


class Device(msgspec.Struct, frozen=True):
    """A device and the account that it has signed in to."""

    account: bytes
    id: bytes

    @property
    def key(self) -> str:
        """The key of the bucket of this device for this account."""
        return (self.account + self.id).hex()


class Devices:
    """Makes and reads device cookies. `path` is the `Path` of the cookie: any endpoint may sign users in."""

    def __init__(self, secret: bytes, path: str = "/") -> None:
        self._key = hashlib.blake2b(secret, digest_size=32, person=b"gatepost device").digest()
        self._path = path

    def account_of(self, email: str) -> bytes:
        """The keyed hash of a normalised e-mail that names its buckets; it does not reveal the e-mail."""
        return hashlib.blake2b(
            email.encode("utf-8", "surrogatepass"), digest_size=_ACCOUNT_BYTES, key=self._key
        ).digest()

    def find(self, call: Call) -> Device | None:
        """The device that sends a request; None without a cookie, and for one that is old or not ours."""
        value = call.cookie(COOKIE)
        if value is None:
            return None
        try:
            content = urlsafe_b64decode(value + "==")
        except ValueError:
            return None
        sealed, seal = content[:-_SEAL_BYTES], content[-_SEAL_BYTES:]
        if len(content) != _LENGTH or not hmac.compare_digest(seal, self._seal(sealed)):
            return None
        made_at = int.from_bytes(sealed[-_TIME_BYTES:])
        if not 0 <= time.time() - made_at < LIFETIME_SECONDS:
            return None
        return Device(sealed[:_ACCOUNT_BYTES], sealed[_ACCOUNT_BYTES:-_TIME_BYTES])

    def find_own(self, call: Call, account: bytes) -> Device | None:
        """The device that sends a request, where it has signed in to this very account."""
        device = self.find(call)
        return device if device is not None and device.account == account else None

    def find_key(self, call: Call) -> str:
        """The key of the device that sends a request, "" for none."""
        device = self.find(call)
        return "" if device is None else device.key

    def header(self, account: bytes, device: Device | None, *, is_tls: bool) -> Header:
        """The line that sets the cookie for a device that has signed in."""
        secure = "; Secure" if is_tls else ""
        value = self._value(account, device)
        cookie = f"{COOKIE}={value}; Path={self._path}; Max-Age={LIFETIME_SECONDS}; HttpOnly; SameSite=Strict{secure}"
        return b"set-cookie", cookie.encode()

    def set_cookie(self, call: Call, account: bytes, device: Device | None) -> None:
        """Set the cookie with the response of a call."""
        value = self._value(account, device)
        call.set_cookie(COOKIE, value, max_age=LIFETIME_SECONDS, path=self._path, same_site="strict")

    def _value(self, account: bytes, device: Device | None) -> str:
        """The value of a cookie: of `device` again where it is known, else of a new one."""
        known = device.id if device is not None and device.account == account else secrets.token_bytes(_ID_BYTES)
        sealed = account + known + int(time.time()).to_bytes(_TIME_BYTES)
        return urlsafe_b64encode(sealed + self._seal(sealed)).decode().rstrip("=")

    def _seal(self, content: bytes) -> bytes:
        return hashlib.blake2b(content, digest_size=_SEAL_BYTES, key=self._key).digest()
