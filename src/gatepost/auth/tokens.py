"""Access tokens: short-lived JWTs (RFC 7519) signed with Ed25519 (RFC 8037, RFC 9864) by this application itself.

Signing happens at sign-in, verifying where a request's token is not yet known (`accounts/identities.py`). A token holds
the user and the version of the password (`pv`), and no permissions: roles are read from the database. Because only this
application issues them, `verify` accepts exactly the form that `issue` makes (RFC 8725): one algorithm, one key, one
issuer, one audience, three header members.
"""

import re
import secrets
import time
from typing import Annotated

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey
from msgspec import field

from gatepost.epoch import Epoch
from gatepost.errors import ConfigurationError, Unauthorized
from gatepost.settings import AuthSettings

ALGORITHM = "Ed25519"
TYPE = "at+jwt"
"""Explicit typing (RFC 8725): another kind of token signed with the same key is never accepted as an access token."""

TOKEN_BYTES_MAX = 4096
LEEWAY_SECONDS = 5
"""How far ahead another instance's clock may be (`iat`, `nbf`). `exp` has no leeway: we set it ourselves."""

TOKEN_FORM = r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}"  # noqa: S105 - a pattern
"""The pattern of a token: header, claims, and a signature of 64 bytes."""

_FORM = re.compile(TOKEN_FORM)

Text = Annotated[str, msgspec.Meta(pattern=r"\A[^\x00\ud800-\udfff]+\Z")]
"""A text that PostgreSQL can store: not empty, without NUL and lone surrogates."""

Number = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
"""JSON admits any number, and Python would make a float or an integer of any length."""


class TokenClaims(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a token says: `subject` is the user's key as text, `password_version` that of the password at the time of
    issue, times are seconds since 1970, `epoch` is that of the database (`epoch.py`)."""

    issuer: str = field(name="iss")
    audience: str = field(name="aud")
    subject: Text = field(name="sub")
    password_version: Number = field(name="pv")
    issued_at: Number = field(name="iat")
    expires_at: Number = field(name="exp")
    token_id: Text = field(name="jti")
    not_before: Number = field(name="nbf", default=0)
    epoch: Number = field(name="epo", default=0)


_decode = msgspec.json.Decoder(TokenClaims).decode


class Tokens:
    """Signs and verifies with one key. `kid` is the key's RFC 7638 thumbprint. `scheme` is how clients send tokens in
    `Authorization`. Tokens of another `kind` are not accepted."""

    def __init__(  # noqa: PLR0913 - what a kind of token is
        self,
        settings: AuthSettings,
        key: OKPKey,
        scheme: str = "Bearer",
        *,
        kind: str = TYPE,
        lifetime_seconds: int | None = None,
        epoch: Epoch | None = None,
    ) -> None:
        self.scheme = scheme
        self._epoch = epoch or Epoch()
        if key.private_key is None:
            raise ConfigurationError("is a public key; signing needs the private one.", location="GATEPOST_SIGNING_KEY")
        self._key = key
        self._public = OKPKey.import_key(key.public_key)
        self._issuer = settings.issuer
        self._audience = settings.audience
        self._header = {"alg": ALGORITHM, "typ": kind, "kid": key.thumbprint()}
        self.lifetime_seconds = lifetime_seconds or round(settings.token_minutes * 60)

    def issue(self, subject: str, password_version: int, now: float | None = None) -> str:
        """A token for this subject that lives `lifetime_seconds` from `now` (seconds since 1970), as long as the
        password has this version and the database this epoch."""
        issued_at = int(time.time() if now is None else now)
        expires_at, token_id = issued_at + self.lifetime_seconds, secrets.token_urlsafe(16)
        claims = TokenClaims(
            self._issuer,
            self._audience,
            subject,
            password_version,
            issued_at,
            expires_at,
            token_id,
            epoch=self._epoch.value,
        )
        return jws.serialize_compact(dict(self._header), msgspec.json.encode(claims), self._key, [ALGORITHM])

    def verify(self, token: str, now: float | None = None) -> TokenClaims:
        """The claims of a token that `issue` made and that has not expired; raises 401 `invalid_token` otherwise.

        The epoch is left to who loads the user, as the version of the password is: only a connection to the database
        tells whether it has risen.
        """
        if len(token) > TOKEN_BYTES_MAX or _FORM.fullmatch(token) is None:
            raise invalid("The token is malformed.")
        try:
            signed = jws.deserialize_compact(token, self._public, [ALGORITHM])
            claims = _decode(signed.payload or b"")
        except (JoseError, ValueError, TypeError, RecursionError):
            raise invalid("The token is malformed or its signature is not valid.") from None
        if signed.headers() != self._header:
            raise invalid("The token was not issued here.")
        if (claims.issuer, claims.audience) != (self._issuer, self._audience):
            raise invalid("The token has another issuer or audience.")
        moment = time.time() if now is None else now
        if claims.expires_at <= moment:
            raise invalid("The token has expired.")
        if max(claims.issued_at, claims.not_before) > moment + LEEWAY_SECONDS:
            raise invalid("The token is not valid yet.")
        return claims


def invalid(detail: str) -> Unauthorized:
    """The refusal of a token: 401 `invalid_token` (RFC 6750 section 3.1)."""
    return Unauthorized("invalid_token", detail)
