"""Access tokens: short-lived JWTs (RFC 7519) signed with Ed25519 (RFC 8037, RFC 9864) by this application itself.

Signing happens at sign-in, verifying where a request's token is not yet known (`accounts/identities.py`). A token holds
the user and the version of the password (`pv`), and no permissions: roles are read from the database. Because only this
application issues them, `verify` accepts exactly the form that `issue` makes (RFC 8725): one algorithm, one key, one
issuer, one audience, three header members.
"""

import json
import re
import secrets
import time
from typing import Any, TypeGuard, cast

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from gatepost.errors import ConfigurationError, Unauthorized
from gatepost.settings import AuthSettings

ALGORITHM = "Ed25519"
TYPE = "at+jwt"
"""Explicit typing (RFC 8725): another kind of token signed with the same key is never accepted as an access token."""

TOKEN_BYTES_MAX = 4096
LEEWAY_SECONDS = 5
"""How far ahead another instance's clock may be (`iat`, `nbf`). `exp` has no leeway: we set it ourselves."""

NUMBER_MAX = 2**53
"""Numbers of claims are below this: JSON admits any, and Python would make a float or an integer of any length."""

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}")


class TokenClaims(msgspec.Struct, frozen=True):
    """What a verified token says: `subject` is the user's key as text, `password_version` that of the password at the
    time of issue, times are seconds since the epoch."""

    subject: str
    password_version: int
    token_id: str
    issued_at: int
    expires_at: int


class Tokens:
    """Signs and verifies with one key. `kid` is the key's RFC 7638 thumbprint."""

    def __init__(self, settings: AuthSettings, key: OKPKey) -> None:
        if key.private_key is None:
            raise ConfigurationError("is a public key; signing needs the private one.", location="GATEPOST_SIGNING_KEY")
        self._key = key
        self._public = OKPKey.import_key(key.public_key)
        self._issuer = settings.issuer
        self._audience = settings.audience
        self._header = {"alg": ALGORITHM, "typ": TYPE, "kid": key.thumbprint()}
        self.lifetime_seconds = round(settings.token_minutes * 60)

    def issue(self, subject: str, password_version: int, now: float | None = None) -> str:
        """A token for this subject that lives `lifetime_seconds` from `now` (seconds since the epoch), as long as the
        password has this version."""
        issued_at = int(time.time() if now is None else now)
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": subject,
            "pv": password_version,
            "iat": issued_at,
            "exp": issued_at + self.lifetime_seconds,
            "jti": secrets.token_urlsafe(16),
        }
        return jws.serialize_compact(dict(self._header), msgspec.json.encode(claims), self._key, [ALGORITHM])

    def verify(self, token: str, now: float | None = None) -> TokenClaims:
        """The claims of a token that `issue` made and that has not expired; raises 401 `invalid_token` otherwise."""
        if len(token) > TOKEN_BYTES_MAX or _FORM.fullmatch(token) is None:
            raise invalid("The token is malformed.")
        try:
            signed = jws.deserialize_compact(token, self._public, [ALGORITHM])
            claims = json.loads(signed.payload or b"")
        except (JoseError, ValueError, TypeError, RecursionError):
            raise invalid("The token is malformed or its signature is not valid.") from None
        if signed.headers() != self._header or not isinstance(claims, dict):
            raise invalid("The token was not issued here.")
        return self._check(cast("dict[str, Any]", claims), time.time() if now is None else now)

    def _check(self, claims: dict[str, Any], now: float) -> TokenClaims:
        if claims.get("iss") != self._issuer or claims.get("aud") != self._audience:
            raise invalid("The token has another issuer or audience.")
        subject, token_id = claims.get("sub"), claims.get("jti")
        if not (_is_text(subject) and _is_text(token_id)):
            raise invalid("The token does not name its user.")
        password_version = claims.get("pv")
        if not _is_number(password_version) or isinstance(password_version, float):
            raise invalid("The token does not hold a password version.")
        issued_at, expires_at = _moment(claims, "iat"), _moment(claims, "exp")
        if expires_at <= now:
            raise invalid("The token has expired.")
        if max(issued_at, _moment(claims, "nbf") if "nbf" in claims else 0) > now + LEEWAY_SECONDS:
            raise invalid("The token is not valid yet.")
        return TokenClaims(subject, password_version, token_id, issued_at, expires_at)


def invalid(detail: str) -> Unauthorized:
    """The refusal of a token: 401 `invalid_token` (RFC 6750 section 3.1)."""
    return Unauthorized("invalid_token", detail)


def _moment(claims: dict[str, Any], name: str) -> int:
    """A NumericDate, rounded down."""
    value = claims.get(name)
    if not _is_number(value):
        raise invalid("The token's times are missing or malformed.")
    return int(value)


def _is_number(value: object) -> TypeGuard[int | float]:
    """Whether a claim is a finite number within the range of claims; NaN and infinity are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < NUMBER_MAX


def _is_text(value: object) -> TypeGuard[str]:
    """Whether a claim is a text that PostgreSQL can store: not empty, without NUL and lone surrogates."""
    return isinstance(value, str) and value != "" and "\0" not in value and not _SURROGATE.search(value)
