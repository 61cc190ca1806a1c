"""The key that signs tokens: Ed25519, loaded from a setting, or made and kept in a folder during development.

Called once, at start. There is no working default: production without a key does not start. Tokens are signed and
verified in `tokens.py`.
"""

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from gatepost.errors import ConfigurationError
from gatepost.settings import Settings

KEY_FOLDER = Path(".gatepost")
"""Where development keeps its key."""

KEY_FILE = "signing-key.pem"
VARIABLE = "GATEPOST_SIGNING_KEY"
HINT = (
    "Create one with `openssl genpkey -algorithm ed25519 -out signing-key.pem` "
    "and name the file in GATEPOST_SIGNING_KEY_FILE, or put its text into GATEPOST_SIGNING_KEY."
)


def signing_key(settings: Settings, folder: Path = KEY_FOLDER) -> OKPKey:
    """The key of this process: the one that is set, else in development the one kept in `folder`.

    Raises `ConfigurationError` in production where none is set.
    """
    if settings.auth.signing_key is not None:
        return load_signing_key(settings.auth.signing_key)
    if settings.is_production:
        raise ConfigurationError("is not set, and production makes no key by itself.", location=VARIABLE, hint=HINT)
    return development_key(folder)


def load_signing_key(pem: str, *, location: str = VARIABLE) -> OKPKey:
    """Read an Ed25519 private key from PEM (PKCS #8, unencrypted); `\\n` may stand for a line break.

    `location` names where the text came from. Raises `ConfigurationError` for anything else, without showing the text.
    """
    try:
        key = OKPKey.import_key(pem.replace("\\n", "\n"))
    except (ValueError, TypeError, JoseError):
        raise ConfigurationError("is not a readable, unencrypted PEM key.", location=location, hint=HINT) from None
    if key.private_key is None:
        raise ConfigurationError("is a public key; signing needs the private one.", location=location, hint=HINT)
    if not isinstance(key.private_key, Ed25519PrivateKey):
        raise ConfigurationError(f"is a key for {key.curve_name}, not Ed25519.", location=location, hint=HINT)
    return key


def development_key(folder: Path) -> OKPKey:
    """The key kept in `folder`, made the first time. Only its owner may read the file.

    Processes that start at the same moment end up with the same key: the first one to link its file wins.
    """
    path = folder / KEY_FILE
    try:
        if not path.exists():
            _keep(path, OKPKey.generate_key("Ed25519").as_pem(private=True))
        path.chmod(0o600)
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        hint = f"Fix or delete {path}, or choose another folder."
        raise ConfigurationError(
            f"The development key cannot be stored: {error}.", location=str(path), hint=hint
        ) from None
    return load_signing_key(text, location=str(path))


def _keep(path: Path, pem: bytes) -> None:
    """Write the file atomically, and never replace an existing key: tokens that were signed with it are in use."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        return
    finally:
        draft.unlink()
