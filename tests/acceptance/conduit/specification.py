"""The operations and the JSON of RealWorld's API, version 2.0.0 of its OpenAPI description (`specs/api/openapi.yml` in
realworld-apps/realworld), as plain data."""

import re
from collections.abc import Mapping
from typing import Any

from tests.acceptance.conduit.expectations import COUNT, FLAG, INTEGER, TEXT, TEXT_OR_NULL, TEXTS, TIME

OPERATIONS: Mapping[str, frozenset[int]] = {
    "POST /users/login": frozenset({200, 401, 422}),
    "POST /users": frozenset({201, 409, 422}),
    "GET /user": frozenset({200, 401, 422}),
    "PUT /user": frozenset({200, 401, 422}),
    "GET /profiles/{username}": frozenset({200, 401, 404, 422}),
    "POST /profiles/{username}/follow": frozenset({200, 401, 404, 422}),
    "DELETE /profiles/{username}/follow": frozenset({200, 401, 404, 422}),
    "GET /articles/feed": frozenset({200, 401, 422}),
    "GET /articles": frozenset({200, 401, 422}),
    "POST /articles": frozenset({201, 401, 409, 422}),
    "GET /articles/{slug}": frozenset({200, 404, 422}),
    "PUT /articles/{slug}": frozenset({200, 401, 403, 404, 422}),
    "DELETE /articles/{slug}": frozenset({204, 401, 403, 404, 422}),
    "GET /articles/{slug}/comments": frozenset({200, 401, 404, 422}),
    "POST /articles/{slug}/comments": frozenset({201, 401, 404, 422}),
    "DELETE /articles/{slug}/comments/{id}": frozenset({204, 401, 403, 404, 422}),
    "POST /articles/{slug}/favorite": frozenset({200, 401, 404, 422}),
    "DELETE /articles/{slug}/favorite": frozenset({200, 401, 404, 422}),
    "GET /tags": frozenset({200, 422}),
}
"""Each operation with the statuses that are described."""

QUERY: Mapping[str, frozenset[str]] = {
    "GET /articles": frozenset({"tag", "author", "favorited", "limit", "offset"}),
    "GET /articles/feed": frozenset({"limit", "offset"}),
}

BODIES: Mapping[str, tuple[str, frozenset[str]]] = {
    "POST /users/login": ("user", frozenset({"email", "password"})),
    "POST /users": ("user", frozenset({"email", "password", "username"})),
    "PUT /user": ("user", frozenset({"email", "password", "username", "bio", "image"})),
    "POST /articles": ("article", frozenset({"title", "description", "body", "tagList"})),
    "PUT /articles/{slug}": ("article", frozenset({"title", "description", "body", "tagList"})),
    "POST /articles/{slug}/comments": ("comment", frozenset({"body"})),
}
"""The envelope of a body, and the fields inside."""

USER = {"email": TEXT, "token": TEXT, "username": TEXT, "bio": TEXT_OR_NULL, "image": TEXT_OR_NULL}
PROFILE = {"username": TEXT, "bio": TEXT_OR_NULL, "image": TEXT_OR_NULL, "following": FLAG}
CARD = {
    "slug": TEXT,
    "title": TEXT,
    "description": TEXT,
    "tagList": TEXTS,
    "createdAt": TIME,
    "updatedAt": TIME,
    "favorited": FLAG,
    "favoritesCount": COUNT,
    "author": PROFILE,
}
"""An article in a list: it has no `body`."""
ARTICLE = {**CARD, "body": TEXT}
COMMENT = {"id": INTEGER, "createdAt": TIME, "updatedAt": TIME, "body": TEXT, "author": PROFILE}

ENVELOPES: Mapping[str, Any] = {"user": USER, "profile": PROFILE, "article": ARTICLE, "comment": COMMENT}
LISTS: Mapping[str, tuple[Mapping[str, Any], frozenset[str]]] = {
    "articles": (CARD, frozenset({"articles", "articlesCount"})),
    "comments": (COMMENT, frozenset({"comments"})),
}
"""The elements of a list, and the members beside and around it."""


def operation_of(request: str) -> str | None:
    """The operation that a request (`GET /articles/{x}?limit=1`) is for. A fixed segment comes before a parameter."""
    method, _, target = request.partition(" ")
    path = target.partition("?")[0]
    found = [
        operation
        for operation in OPERATIONS
        if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(operation)), f"{method} {path}")
    ]
    return min(found, key=lambda operation: operation.count("{"), default=None)
