"""`GET /openapi.json`, as an application would write it: public names only, beside the documents themselves."""

from functools import cache

from gatepost import Actor, Call, Controller, Response, anyone, authenticated, get
from gatepost.openapi import served_documents

_POLICIES = {"everyone": anyone, "signed_in": authenticated}

_CACHING = "private, no-cache"
"""A browser keeps it and asks whether it is still the same; nobody else's cache does, because it depends on the
actor."""


@cache
def openapi_controller(audience: str) -> type[Controller] | None:
    """What serves the document to `everyone`, or to those who are `signed_in`; None for `nobody`."""
    if audience not in _POLICIES:
        return None

    class OpenAPI(Controller):
        """The description of the API, at the root of the server."""

        documents: served_documents.OpenAPI

        @get("/openapi.json", allow=_POLICIES[audience], document=False)
        async def document(self, call: Call, actor: Actor) -> Response:
            """Describe what this actor may do, as OpenAPI 3.1."""
            found = await self.documents.served(actor)
            tag = f'"{found.tag}"'
            if _names(call.header("if-none-match") or "", tag):
                return Response.binary(b"", status=304, headers={"etag": tag}, cache_control=_CACHING)
            return Response.binary(found.body, "application/json", headers={"etag": tag}, cache_control=_CACHING)

    return OpenAPI


def _names(condition: str, tag: str) -> bool:
    """Whether `If-None-Match` names the entity tag (RFC 9110, section 13.1.2)."""
    named = [each.strip().removeprefix("W/") for each in condition.split(",")]
    return tag in named or named == ["*"]
