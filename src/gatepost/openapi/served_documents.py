"""`OpenAPI`: the documents of one app, made at their first request and kept as they are sent.

The modules that make them are loaded then: a process that is never asked for a document never loads them.
"""

from collections.abc import Callable, Hashable
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from gatepost.actor import Actor
from gatepost.bounded_cache import BoundedCache

if TYPE_CHECKING:
    from gatepost.openapi.described import DescribedAPI

DOCUMENTS_MAX = 32
"""Documents that are kept: one per kind of actor, by what the policies of the app decide."""


class EncodedDocument(NamedTuple):
    """A document as it is sent, and its entity tag."""

    body: bytes
    tag: str


class OpenAPI:
    """The documents of one app. `describe` gives what they are made of."""

    def __init__(self, describe: "Callable[[], DescribedAPI]") -> None:
        self._describe = describe
        self._documents = BoundedCache[Hashable, EncodedDocument](DOCUMENTS_MAX)

    @cached_property
    def _api(self) -> "DescribedAPI":
        return self._describe()

    @cached_property
    def _policies(self) -> Any:
        from gatepost.openapi.audience import deciding_policies

        return deciding_policies(self._api)

    def document(self, actor: Actor) -> EncodedDocument:
        """The document that an actor may see."""
        from gatepost.openapi.audience import ActorAudience, audience_key
        from gatepost.openapi.document import document_of

        key = (actor.is_anonymous, audience_key(self._policies, actor))
        known = self._documents.get(key)
        if known is None:
            then = self._api.signed_in() if actor.is_anonymous else None
            body = msgspec.json.encode(document_of(self._api, ActorAudience(actor, then)))
            known = self._documents[key] = EncodedDocument(body, sha256(body).hexdigest()[:16])
        return known

    def full(self) -> dict[str, Any]:
        """The owner's document: everything that some client may see."""
        from gatepost.openapi.audience import OwnerAudience
        from gatepost.openapi.document import document_of

        return document_of(self._api, OwnerAudience())
