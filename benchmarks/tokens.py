"""The keys and tokens of a run: made anew each time, handed to the servers as files."""

import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import OKPKey, RSAKey

from gatepost.auth.tokens import Tokens
from gatepost.settings import AuthSettings

LIFE_SECONDS = 24 * 3600


@dataclass(frozen=True)
class Keys:
    """Ed25519, and RSA for the peer whose library knows no Ed25519 (jsonwebtoken)."""

    ed25519: OKPKey
    rsa: RSAKey

    @classmethod
    def make(cls, folder: Path) -> "Keys":
        """New keys; both halves of each are written to `folder` as PEM."""
        keys = cls(OKPKey.generate_key("Ed25519"), RSAKey.generate_key(2048))
        for name, key in (("ed25519", keys.ed25519), ("rsa", keys.rsa)):
            (folder / f"{name}.pem").write_bytes(key.as_pem(private=True))
            (folder / f"{name}.public.pem").write_bytes(key.as_pem(private=False))
        return keys

    def token(self, user_id: UUID, algorithm: str = "EdDSA") -> str:
        """A token of the user: of Gatepost's own making for "gatepost", else with the claims its peers ask for."""
        if algorithm == "gatepost":
            return Tokens(AuthSettings(token_minutes=LIFE_SECONDS / 60), self.ed25519).issue(str(user_id), 0)
        now = int(time.time())
        claims = {"sub": str(user_id), "iat": now, "exp": now + LIFE_SECONDS, "iss": "gatepost", "aud": "gatepost"}
        key = self.ed25519 if algorithm == "EdDSA" else self.rsa
        header = {"alg": algorithm, "kid": key.thumbprint(), "typ": "JWT"}
        with warnings.catch_warnings():
            # RFC 9864 renames EdDSA; the peers' libraries know only the old name.
            warnings.simplefilter("ignore", SecurityWarning)
            return jwt.encode(header, claims, key, algorithms=[algorithm])
