"""What the OpenAPI document of an app says of responses, held against the responses that tests get.

Every operation, status, error code and header of Gatepost has to be described in the whole document; and a body has to
fit its schema in the document of the actor who got it, with no member that is not described there.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator

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

_NAMED = frozenset({"properties", "patternProperties", "$defs"})
"""Keywords whose members are schemas by name."""
_VALUES = frozenset({"const", "enum", "default", "example", "examples"})
"""Keywords with values, in which nothing is a schema."""


class DescribedResponses:
    """One document, asked about responses."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._paths = [
            (template.count("{"), re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))), template)
            for template in document["paths"]
        ]
        self._paths.sort(key=lambda item: item[0])
        self._schemas = _ClosedSchemas(self._resolved)
        self._validators: dict[tuple[str, str], Draft202012Validator] = {}

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
        place = response.get("$ref", f"{place}/responses/{key}")
        media = content_type.partition(";")[0]
        content = self._resolved(response).get("content", {})
        if media not in content:
            if "*/*" not in content:
                yield f"{method} {path}: {media} of {status} is not described."
            return
        if (place, media) not in self._validators:
            schema = self._schemas.closed(content[media]["schema"])
            self._validators[place, media] = Draft202012Validator(schema, format_checker=_CHECKER)
        for error in self._validators[place, media].iter_errors(json.loads(body)):
            where = "/".join(map(str, error.absolute_path))
            yield f"{method} {path}: {status} at {where!r}: {error.message[:300]}"

    def _resolved(self, found: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in found:
            return found
        place: Any = self._document
        for step in found["$ref"].removeprefix("#/").split("/"):
            place = place[step]
        return place


class _ClosedSchemas:
    """The schemas of a document as a validator takes them: all objects are closed, so that what they do not name is
    found, and references are replaced by what they lead to, which spares the validator finding it for every value. A
    schema that refers to itself contains itself. Made when they are asked for: few of a document ever are."""

    def __init__(self, resolve: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> None:
        self._resolve = resolve
        self._referred: dict[str, dict[str, Any]] = {}

    def closed(self, node: Any) -> Any:
        """A schema, or a list of them; what is neither stays."""
        if isinstance(node, list):
            return [self.closed(item) for item in node]
        if not isinstance(node, dict):
            return node
        made = {key: self._member(key, value) for key, value in node.items() if key != "$ref"}
        if "$ref" in node:
            referred = self._follow(node["$ref"])
            return {"allOf": [referred, made]} if made else referred
        if made.get("type") == "object" and isinstance(made.get("properties"), dict):
            made.setdefault("additionalProperties", False)
        return made

    def _member(self, key: str, value: Any) -> Any:
        if key in _VALUES:
            return value
        return {name: self.closed(schema) for name, schema in value.items()} if key in _NAMED else self.closed(value)

    def _follow(self, reference: str) -> dict[str, Any]:
        if reference not in self._referred:
            made = self._referred[reference] = {}
            made.update(self.closed(self._resolve({"$ref": reference})))
        return self._referred[reference]
