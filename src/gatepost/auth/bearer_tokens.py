"""The authenticator of the access tokens that sign-in issues (RFC 6750)."""

from collections.abc import Sequence

from gatepost.auth.authenticator import AnyAuthenticator, UserAuthenticator, VerifiedUser
from gatepost.auth.tokens import TOKEN_BYTES_MAX, Tokens, invalid
from gatepost.errors import ConfigurationError


class BearerTokens(UserAuthenticator):
    """`Authorization: Bearer <token>`, with the tokens that `POST auth/login` issues. The default of
    `App(authenticators=)`. Where the dialect of the app names another scheme, it stands in place of `Bearer`."""

    challenge = "Bearer"

    def __init__(self) -> None:
        self._tokens: Tokens | None = None
        self._scheme = b"bearer"

    def verified_by(self, tokens: Tokens) -> "BearerTokens":
        """The same for one running app, which has the key."""
        bound = BearerTokens()
        bound._tokens = tokens
        bound.challenge = tokens.scheme
        bound._scheme = tokens.scheme.lower().encode()
        return bound

    async def verify(self, credentials: bytes) -> VerifiedUser | None:
        """The token's user, None for another scheme; raises 401 `invalid_token`."""
        # The whole header: its scheme is looked at only where it is not cached.
        scheme, _, token = credentials.partition(b" ")
        if scheme.lower() != self._scheme:
            return None
        if self._tokens is None:
            raise ConfigurationError("verifies nothing before the app is composed.", location="BearerTokens")
        if len(token) > TOKEN_BYTES_MAX:
            raise invalid("The Authorization header is not an access token.")
        try:
            text = token.lstrip(b" ").decode("ascii")
        except UnicodeDecodeError:
            raise invalid("The token is malformed.") from None
        claims = self._tokens.verify(text)
        return VerifiedUser(claims.subject, claims.expires_at, claims.password_version, claims.epoch)


def accept_tokens(authenticators: Sequence[AnyAuthenticator]) -> bool:
    """Whether the tokens that sign-in issues identify a user of the app."""
    return any(isinstance(each, BearerTokens) for each in authenticators)
