"""Access tokens: only what `issue` made is admitted."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import OKPKey

from gatepost.auth.tokens import LEEWAY_SECONDS, TOKEN_BYTES_MAX, Tokens
from gatepost.errors import ConfigurationError, Unauthorized
from gatepost.settings import AuthSettings

KEY = OKPKey.generate_key("Ed25519")
OTHER_KEY = OKPKey.generate_key("Ed25519")
NOW = 1_800_000_000
TOKENS = Tokens(AuthSettings(), KEY)
HEADER = {"alg": "Ed25519", "typ": "at+jwt", "kid": KEY.thumbprint()}
CLAIMS: dict[str, Any] = {
    "iss": "gatepost",
    "aud": "gatepost",
    "sub": "42",
    "pv": 0,
    "iat": NOW,
    "exp": NOW + 900,
    "jti": "one",
}


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def signed(header: dict[str, Any], claims: object, key: OKPKey = KEY) -> str:
    """A token signed without any check, as an attacker or another program would."""
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    head = f"{encoded(json.dumps(header).encode())}.{encoded(body)}"
    private: Any = key.private_key
    return f"{head}.{encoded(private.sign(head.encode()))}"


def with_public_key_as_secret(algorithm: str) -> str:
    public: Any = KEY.public_key
    secret = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head = f"{encoded(json.dumps({**HEADER, 'alg': algorithm}).encode())}.{encoded(json.dumps(CLAIMS).encode())}"
    return f"{head}.{encoded(hmac.new(secret, head.encode(), hashlib.sha256).digest())}"


def with_number(name: str, text: str) -> str:
    """A token whose claim has this text in its JSON, written out as no library would."""
    claims = json.dumps({**CLAIMS, name: "here"}).replace('"here"', text)
    return signed(HEADER, claims.encode())


ABSURD = {
    "of 400 digits": "1" + "0" * 399,
    "of 3,000 digits": "1" + "0" * 2999,
    "beyond floats": "1e400",
    "below floats": "-1e400",
    "of 400 digits below zero": "-1" + "0" * 399,
    "at the end of floats": "1e308",
    "beyond what a clock says": str(2**53),
    "below zero": "-1",
    "infinite": "Infinity",
    "not a number": "NaN",
    "true": "true",
    "null": "null",
    "a text": '"1"',
    "a list": "[1]",
    "nested": '{"a": [[[{}]]]}',
    "nested deep": "[" * 1000 + "]" * 1000,
}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in CLAIMS.items() if key != name}


GOOD = signed(HEADER, CLAIMS)
HEAD, BODY, SIGNATURE = GOOD.split(".")
UNSECURED = encoded(json.dumps({**HEADER, "alg": "none"}).encode())

REFUSED = {
    "nothing": "",
    "one part": HEAD,
    "two parts": f"{HEAD}.{BODY}",
    "four parts": f"{GOOD}.{SIGNATURE}",
    "no signature": f"{HEAD}.{BODY}.",
    "a cut signature": GOOD[:-1],
    "another signature": f"{HEAD}.{BODY}.{'A' * 86}",
    "another last bit in the padding": GOOD[:-1] + chr(ord(GOOD[-1]) + 1),
    "padding": f"{GOOD}==",
    "a space inside": f"{HEAD}. {BODY}.{SIGNATURE}",
    "a line break behind": f"{GOOD}\n",
    "text that is not ASCII": f"{HEAD}.{BODY}é.{SIGNATURE}",
    "a changed body": f"{HEAD}.{encoded(json.dumps({**CLAIMS, 'sub': '1'}).encode())}.{SIGNATURE}",
    "a detached body": f"{HEAD}..{SIGNATURE}",
    "too many bytes": signed(HEADER, {**CLAIMS, "more": "x" * TOKEN_BYTES_MAX}),
    "alg none": f"{UNSECURED}.{BODY}.",
    "alg none with a signature": f"{UNSECURED}.{BODY}.{SIGNATURE}",
    "alg nOnE": signed({**HEADER, "alg": "nOnE"}, CLAIMS),
    "alg EdDSA": signed({**HEADER, "alg": "EdDSA"}, CLAIMS),
    "alg Ed448": signed({**HEADER, "alg": "Ed448"}, CLAIMS),
    "alg missing": signed({"typ": "at+jwt", "kid": HEADER["kid"]}, CLAIMS),
    "alg a list": signed({**HEADER, "alg": ["Ed25519"]}, CLAIMS),
    "HS256 with the public key as secret": with_public_key_as_secret("HS256"),
    "HS256's signature under our alg": with_public_key_as_secret("Ed25519"),
    "another key": signed(HEADER, CLAIMS, OTHER_KEY),
    "another key with its own kid": signed({**HEADER, "kid": OTHER_KEY.thumbprint()}, CLAIMS, OTHER_KEY),
    "another key embedded": signed({**HEADER, "jwk": OTHER_KEY.as_dict(private=False)}, CLAIMS, OTHER_KEY),
    "our key embedded": signed({**HEADER, "jwk": KEY.as_dict(private=False)}, CLAIMS),
    "a key address": signed({**HEADER, "jku": "https://evil.example/keys"}, CLAIMS),
    "a certificate": signed({**HEADER, "x5c": ["AAAA"]}, CLAIMS),
    "kid missing": signed({"alg": "Ed25519", "typ": "at+jwt"}, CLAIMS),
    "kid a path": signed({**HEADER, "kid": "../../dev/null"}, CLAIMS),
    "kid a number": signed({**HEADER, "kid": 1}, CLAIMS),
    "another typ": signed({**HEADER, "typ": "JWT"}, CLAIMS),
    "crit": signed({**HEADER, "crit": ["exp"], "exp": NOW}, CLAIMS),
    "crit that is empty": signed({**HEADER, "crit": []}, CLAIMS),
    "b64 false": signed({**HEADER, "b64": False, "crit": ["b64"]}, CLAIMS),
    "b64 true": signed({**HEADER, "b64": True}, CLAIMS),
    "zip": signed({**HEADER, "zip": "DEF"}, CLAIMS),
    "a body that is not JSON": signed(HEADER, b"hello"),
    "a body that is a list": signed(HEADER, [CLAIMS]),
    "a body that is not UTF-8": signed(HEADER, b"\xff\xfe"),
    "a body nested too deep": signed(HEADER, b"[" * 2500),
    "another issuer": signed(HEADER, {**CLAIMS, "iss": "other"}),
    "another audience": signed(HEADER, {**CLAIMS, "aud": "other"}),
    "a list of audiences": signed(HEADER, {**CLAIMS, "aud": ["gatepost", "other"]}),
    "subject a number": signed(HEADER, {**CLAIMS, "sub": 42}),
    "subject empty": signed(HEADER, {**CLAIMS, "sub": ""}),
    "subject with a NUL": signed(HEADER, {**CLAIMS, "sub": "4\0"}),
    "expired": signed(HEADER, {**CLAIMS, "exp": NOW}),
    "expires never": signed(HEADER, json.dumps({**CLAIMS, "exp": float("inf")}).encode()),
    "expires at NaN": signed(HEADER, json.dumps({**CLAIMS, "exp": float("nan")}).encode()),
    "expires true": signed(HEADER, {**CLAIMS, "exp": True}),
    "expires a text": signed(HEADER, {**CLAIMS, "exp": str(NOW + 900)}),
    "half a character as subject": signed(HEADER, {**CLAIMS, "sub": "\ud800"}),
    "half a character as id": signed(HEADER, {**CLAIMS, "jti": "\udfff"}),
    "a password version that is not whole": with_number("pv", "0.0"),
    **{
        f"{name} {how}": with_number(name, text) for how, text in ABSURD.items() for name in ("exp", "iat", "nbf", "pv")
    },
    **{f"{name} nested deep": with_number(name, ABSURD["nested deep"]) for name in CLAIMS},
    "issued in the future": signed(HEADER, {**CLAIMS, "iat": NOW + LEEWAY_SECONDS + 1}),
    "not yet valid": signed(HEADER, {**CLAIMS, "nbf": NOW + LEEWAY_SECONDS + 1}),
    **{f"without {name}": signed(HEADER, without(name)) for name in CLAIMS},
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_token_that_was_not_issued_here_or_not_for_now_is_refused(name: str) -> None:
    with pytest.raises(Unauthorized) as caught:
        TOKENS.verify(REFUSED[name], NOW)
    assert caught.value.code == "invalid_token"


def test_an_issued_token_says_who_and_until_when() -> None:
    claims = TOKENS.verify(TOKENS.issue("42", 7, NOW), NOW)
    assert (claims.subject, claims.password_version, claims.issued_at, claims.expires_at) == ("42", 7, NOW, NOW + 900)


def test_the_reference_that_the_refusals_differ_from_is_admitted() -> None:
    assert TOKENS.verify(GOOD, NOW).subject == "42"


def test_a_token_is_good_until_the_second_in_which_it_expires() -> None:
    token = TOKENS.issue("42", 7, NOW)
    assert TOKENS.verify(token, NOW + 899.9).subject == "42"
    with pytest.raises(Unauthorized):
        TOKENS.verify(token, NOW + 900)


def test_a_clock_that_is_a_little_behind_the_issuer_is_borne_with() -> None:
    assert TOKENS.verify(TOKENS.issue("42", 7, NOW), NOW - LEEWAY_SECONDS).subject == "42"


def test_now_is_the_default_of_issuing_and_verifying() -> None:
    assert TOKENS.verify(TOKENS.issue("42", 7)).expires_at == pytest.approx(time.time() + 900, abs=5)


def test_two_tokens_are_never_equal() -> None:
    assert TOKENS.issue("42", 7, NOW) != TOKENS.issue("42", 7, NOW)


def test_another_instance_with_the_same_key_and_settings_verifies() -> None:
    key = OKPKey.import_key(KEY.as_pem(private=True))
    assert Tokens(AuthSettings(), key).verify(TOKENS.issue("42", 7, NOW), NOW).subject == "42"


def test_issuer_audience_and_life_come_from_the_settings() -> None:
    tokens = Tokens(AuthSettings(issuer="a", audience="b", token_minutes=1), KEY)
    assert tokens.verify(tokens.issue("42", 7, NOW), NOW).expires_at == NOW + 60
    with pytest.raises(Unauthorized):
        TOKENS.verify(tokens.issue("42", 7, NOW), NOW)


def test_a_public_key_cannot_issue() -> None:
    with pytest.raises(ConfigurationError, match="public key"):
        Tokens(AuthSettings(), OKPKey.import_key(KEY.public_key))
