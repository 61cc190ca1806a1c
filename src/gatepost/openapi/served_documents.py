"""`OpenAPI`: the documents of one app, made at their first request and kept as they are sent.

The modules that make them are loaded then, and work in a thread: a process that is never asked for a document never
loads them, and one that is serves other requests meanwhile.
"""

import asyncio
from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from gatepost.actor import Actor
from gatepost.bounded_cache import BoundedCache
from gatepost.declaring.policies import Policy
from gatepost.gateway.codings import KeptBody

if TYPE_CHECKING:
    from gatepost.openapi.described import DescribedAPI

DOCUMENTS_MAX = 32
"""Documents that are kept: one per kind of actor, by what the policies of the app decide."""


class EncodedDocument(NamedTuple):
    """A document as it is sent, and its entity tag."""

    body: KeptBody
    tag: str


class OpenAPI:
    """The documents of one app. `describe` gives what they are made of."""

    def __init__(self, describe: "Callable[[], DescribedAPI]") -> None:
        self._describe = describe
        self._documents = BoundedCache[Hashable, EncodedDocument](DOCUMENTS_MAX)

    async def served(self, actor: Actor) -> EncodedDocument:
        """The document that an actor may see, for a request."""
        key = self._key(actor)
        known = self._documents.get(key)
        if known is None:
            async with self._making:
                if (known := self._documents.get(key)) is None:
                    for served in self.api.served:
                        served.view(actor)  # made here, where requests use them: the thread only reads them
                    known = self._documents[key] = await asyncio.to_thread(self._made, actor)
        return known

    def document(self, actor: Actor) -> EncodedDocument:
        """The same, for code that may wait."""
        key = self._key(actor)
        if key not in self._documents:
            self._documents[key] = self._made(actor)
        return self._documents[key]

    def full(self) -> dict[str, Any]:
        """The owner's document: everything that some client may see."""
        from gatepost.openapi.audience import OwnerAudience
        from gatepost.openapi.document import document_of

        return document_of(self.api, OwnerAudience())

    @cached_property
    def api(self) -> "DescribedAPI":
        """What the documents are made of."""
        return self._describe()

    @cached_property
    def _making(self) -> asyncio.Lock:
        return asyncio.Lock()

    @cached_property
    def _policies(self) -> Sequence[Policy]:
        from gatepost.openapi.audience import deciding_policies

        return deciding_policies(self.api)

    def _key(self, actor: Actor) -> Hashable:
        """What the document of an actor depends on: what each policy decides, True, False or (None) for some rows."""
        decisions = [policy.decide(actor) for policy in self._policies]
        return actor.is_anonymous, *[each if each.__class__ is bool else None for each in decisions]

    def _made(self, actor: Actor) -> EncodedDocument:
        from gatepost.openapi.audience import ActorAudience
        from gatepost.openapi.document import document_of

        then = self.api.signed_in() if actor.is_anonymous else None
        body = KeptBody(msgspec.json.encode(document_of(self.api, ActorAudience(actor, then))))
        return EncodedDocument(body, sha256(body).hexdigest()[:16])
