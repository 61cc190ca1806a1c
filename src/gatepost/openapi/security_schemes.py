"""Security schemes: how each authenticator of an app is told who is asking."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from gatepost.auth.authenticator import Authenticator
from gatepost.openapi.components import Components, Schema

_HTTP_SCHEMES = ("basic", "bearer", "digest")
"""Those that tools know how to send; other schemes of `Authorization` are described as the header that they are."""


class SecuritySchemes:
    """The schemes of one document. An authenticator may say by `security_scheme`, a Security Scheme Object, what its
    challenge and headers do not."""

    def __init__(self, components: Components, authenticators: Sequence[tuple[Any, Authenticator]]) -> None:
        self._components = components
        self._authenticators = authenticators

    def required(self) -> list[Schema]:
        """Of operations for signed-in users: one of the schemes."""
        return [{name: []} for name in self._names()]

    def optional(self) -> list[Schema]:
        """Of operations for everybody, who see what they may see: one of the schemes, or none."""
        return [{}, *self.required()]

    def _names(self) -> list[str]:
        found: list[str] = []
        for declared, authenticator in self._authenticators:
            ref = self._components.ref(
                "securitySchemes",
                id(declared),
                type(declared).__name__,
                partial(_scheme, declared, authenticator),
            )
            found.append(ref["$ref"].rpartition("/")[2])
        return found


def _scheme(declared: Any, authenticator: Authenticator) -> Schema:
    own: Mapping[str, Any] | None = getattr(declared, "security_scheme", None)
    if own is not None:
        return dict(own)
    scheme, headers = authenticator.challenge.partition(" ")[0], list(authenticator.headers)
    if not headers or (headers == ["authorization"] and scheme.lower() in _HTTP_SCHEMES):
        return {"type": "http", "scheme": scheme.lower()}
    name = headers[0]
    found: Schema = {"type": "apiKey", "in": "header", "name": name.title()}
    return {**found, "description": f"`{scheme} ` and the credentials."} if name == "authorization" else found
