"""Each authenticator is a security scheme, made of its challenge and headers, or as it says itself."""

from collections.abc import Sequence
from typing import Any

import pytest

from gatepost import UserAuthenticator
from gatepost.openapi.components import Components
from gatepost.openapi.security_schemes import SecuritySchemes


class PartnerKeys(UserAuthenticator):
    challenge = 'ApiKey realm="partners"'
    headers: Sequence[str] = ("x-api-key",)


class Tokens(UserAuthenticator):
    challenge = "Bearer"


class OtherTokens(UserAuthenticator):
    challenge = "Token"


class Sessions(UserAuthenticator):
    challenge = "Session"
    headers: Sequence[str] = ("cookie",)
    is_ambient = True
    security_scheme = {"type": "apiKey", "in": "cookie", "name": "session"}  # noqa: RUF012 - as users write it


class Certificates(UserAuthenticator):
    challenge = "Certificate"
    headers: Sequence[str] = ()
    security_scheme = {"type": "mutualTLS"}  # noqa: RUF012


@pytest.mark.parametrize(
    ("authenticator", "scheme"),
    [
        (Tokens(), {"type": "http", "scheme": "bearer"}),
        (
            OtherTokens(),
            {"type": "apiKey", "in": "header", "name": "Authorization", "description": "`Token ` and the credentials."},
        ),
        (PartnerKeys(), {"type": "apiKey", "in": "header", "name": "X-Api-Key"}),
        (Sessions(), {"type": "apiKey", "in": "cookie", "name": "session"}),
        (Certificates(), {"type": "mutualTLS"}),
    ],
    ids=lambda given: type(given).__name__,
)
def test_an_authenticator_is_a_scheme(authenticator: Any, scheme: Any) -> None:
    components = Components()
    schemes = SecuritySchemes(components, [(authenticator, authenticator)])

    assert schemes.required() == [{type(authenticator).__name__: []}]
    assert components.sections["securitySchemes"] == {type(authenticator).__name__: scheme}


def test_one_of_several_is_enough_and_what_is_open_needs_none() -> None:
    pairs = [(each, each) for each in (Tokens(), PartnerKeys())]
    schemes = SecuritySchemes(Components(), pairs)

    assert schemes.required() == [{"Tokens": []}, {"PartnerKeys": []}]
    assert schemes.optional() == [{}, {"Tokens": []}, {"PartnerKeys": []}]
