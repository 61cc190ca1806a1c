"""What the OpenAPI document of an app says of responses, held against the responses that tests get.

Every operation, status, error code and header of Gatepost has to be described in the whole document; and a body has to
fit its schema in the document of the actor who got it, with no member that is not described there.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

HEADERS = frozenset(
    {
        "content-location",
        "etag",
        "link",
        "location",
        "ratelimit",
        "ratelimit-policy",
        "retry-after",
        "www-authenticate",
        "x-request-id",
    }
)
"""The headers of Gatepost's that clients read."""

_PROBLEM = "application/problem+json"

METHODS = ("get", "post", "put", "patch", "delete")

_CHECKER = Draft202012Validator.FORMAT_CHECKER


class DescribedResponses:
    """One document, asked about responses."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._paths = [
            (template.count("{"), re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))), template)
            for template in document["paths"]
        ]
        self._paths.sort(key=lambda item: item[0])
        closed = _closed(document)
        resource = Resource.opaque(closed)
        self._registry: Registry[Any] = Registry().with_resource("document", resource)
        self._validators: dict[str, Draft202012Validator] = {}

    def find(self, method: str, path: str) -> tuple[str, Mapping[str, Any]] | None:
        """The place of the operation of a request in the document, and the operation."""
        for _, pattern, template in self._paths:
            operation = self._document["paths"][template].get(method.lower())
            if operation is not None and pattern.fullmatch(path):
                return f"/paths/{template.replace('~', '~0').replace('/', '~1')}/{method.lower()}", operation
        return None

    def undescribed(
        self, method: str, path: str, status: int, headers: Iterable[str], code: str | None, *, is_own: bool = False
    ) -> Iterator[str]:
        """What of a response the document does not describe. A code that `is_own` is the application's."""
        found = self.find("GET" if method == "HEAD" else method, path)
        if found is None:
            yield f"{method} {path} is not described."
            return
        _, operation = found
        response = self._resolved(operation["responses"].get(str(status)) or operation["responses"]["default"])
        if code is None and str(status) not in operation["responses"] and "*/*" not in response["content"]:
            yield f"{method} {path}: {status} is not described."
        for name in sorted(HEADERS & {*headers}):
            if name not in {known.lower() for known in response.get("headers", {})}:
                yield f"{method} {path}: {name} of {status} is not described."
        problem = response.get("content", {}).get(_PROBLEM, {}).get("schema", {})
        codes = problem.get("properties", {}).get("code", {})
        codes = codes.get("enum") or codes.get("anyOf", [{"enum": []}])[0]["enum"]
        if code is not None and not is_own and code not in codes:
            yield f"{method} {path}: {code} of {status} is not described."

    def misfits(self, method: str, path: str, status: int, content_type: str, body: bytes) -> Iterator[str]:
        """How the body of a response differs from its schema."""
        found = self.find(method, path)
        if found is None or not body:
            return
        place, operation = found
        key = str(status) if str(status) in operation["responses"] else "default"
        response = operation["responses"][key]
        place = f"{place}/responses/{key}" if "$ref" not in response else response["$ref"][1:]
        media = content_type.partition(";")[0]
        content = self._resolved(response).get("content", {})
        if media not in content:
            if "*/*" not in content:
                yield f"{method} {path}: {media} of {status} is not described."
            return
        pointer = f"document#{place}/content/{media.replace('/', '~1')}/schema"
        if pointer not in self._validators:
            self._validators[pointer] = Draft202012Validator(
                {"$ref": pointer}, registry=self._registry, format_checker=_CHECKER
            )
        for error in self._validators[pointer].iter_errors(json.loads(body)):
            where = "/".join(map(str, error.absolute_path))
            yield f"{method} {path}: {status} at {where!r}: {error.message[:300]}"

    def _resolved(self, found: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in found:
            return found
        place: Any = self._document
        for step in found["$ref"].removeprefix("#/").split("/"):
            place = place[step]
        return place


def _closed(node: Any) -> Any:
    """The document with all objects of its schemas closed, so that what they do not name is found; and with references
    that lead into it from elsewhere."""
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _closed(value) for key, value in node.items() if key not in ("example", "examples", "default")}
    if (
        "default" in node
        and isinstance(node["default"], dict)
        and ("$ref" in node["default"] or "content" in node["default"])
    ):
        made["default"] = _closed(node["default"])  # of responses
    if isinstance(made.get("$ref"), str):
        made["$ref"] = f"document{made['$ref']}"
    elif made.get("type") == "object" and isinstance(made.get("properties"), dict):
        made.setdefault("additionalProperties", False)
    return made
