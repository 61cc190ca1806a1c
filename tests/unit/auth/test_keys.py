"""The signing key: loaded, made and kept, refused with a hint."""

import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from joserfc.jwk import ECKey, OKPKey, RSAKey

from gatepost.auth.keys import KEY_FILE, development_key, load_signing_key, signing_key
from gatepost.environment import load_settings
from gatepost.errors import ConfigurationError
from gatepost.settings import AuthSettings, ServerSettings, Settings

KEY = OKPKey.generate_key("Ed25519")
PEM = KEY.as_pem(private=True).decode()


def encrypted_pem() -> str:
    private = KEY.private_key
    assert private is not None
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")).decode()


UNUSABLE = {
    "nothing": "",
    "no PEM": "a password that is long enough",
    "a cut PEM": PEM[:60],
    "a public key": KEY.as_pem(private=False).decode(),
    "a key of another curve": OKPKey.generate_key("Ed448").as_pem(private=True).decode(),
    "a key for exchange": OKPKey.generate_key("X25519").as_pem(private=True).decode(),
    "an EC key": ECKey.generate_key("P-256").as_pem(private=True).decode(),
    "an RSA key": RSAKey.generate_key(2048).as_pem(private=True).decode(),
    "an encrypted key": encrypted_pem(),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_an_unusable_key_is_refused_with_the_variable_and_a_hint_and_without_its_text(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_signing_key(UNUSABLE[name])
    message = str(caught.value)
    assert message.startswith("GATEPOST_SIGNING_KEY: ")
    assert "openssl genpkey -algorithm ed25519" in message
    assert "GATEPOST_SIGNING_KEY_FILE" in message
    assert not any(line and line in message for line in UNUSABLE[name].splitlines())


def test_a_key_survives_the_way_through_a_variable_of_one_line() -> None:
    assert load_signing_key(PEM.replace("\n", "\\n")).thumbprint() == KEY.thumbprint()


def test_production_reads_its_key_from_the_file_that_a_variable_names(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text(PEM)
    settings = load_settings({"GATEPOST_SIGNING_KEY_FILE": str(path), "GATEPOST_ENV": "production"})
    assert signing_key(settings, tmp_path).thumbprint() == KEY.thumbprint()


def test_production_without_a_key_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="GATEPOST_SIGNING_KEY"):
        signing_key(Settings(server=ServerSettings(environment="production")), tmp_path)
    assert not list(tmp_path.iterdir())


def test_development_makes_a_key_once_and_keeps_it_to_its_owner(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    first = signing_key(Settings(), folder)
    assert signing_key(Settings(), folder).thumbprint() == first.thumbprint()
    assert (folder / KEY_FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == [KEY_FILE]


def test_a_key_that_is_set_is_taken_in_development_too(tmp_path: Path) -> None:
    settings = Settings(auth=AuthSettings(signing_key=PEM))
    assert signing_key(settings, tmp_path).thumbprint() == KEY.thumbprint()


def test_a_kept_key_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    development_key(tmp_path)
    (tmp_path / KEY_FILE).chmod(0o644)
    development_key(tmp_path)
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_a_broken_kept_key_names_its_file_and_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("broken")
    with pytest.raises(ConfigurationError, match=KEY_FILE):
        development_key(tmp_path)
    assert (tmp_path / KEY_FILE).read_text() == "broken"


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be stored"):
        development_key(tmp_path / "file" / "below")


def test_processes_that_start_together_end_up_with_one_key(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from gatepost.auth.keys import development_key;"
        "sys.stdin.read(); print(development_key(pathlib.Path(sys.argv[1])).thumbprint())"
    )
    pipe = subprocess.PIPE
    starts = [
        subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdin=pipe, stdout=pipe, text=True)
        for _ in range(3)
    ]
    for process in starts:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    keys = {process.communicate(timeout=30)[0] for process in starts}
    assert len(keys) == 1
    assert keys.pop().strip()
