"""JSON that a program reads itself, once it has checked the bytes: signed webhooks above all.

Public as `gatepost.parse_json`. Refuses what a body is refused for; the response is that of the layer above.
"""

from functools import lru_cache
from typing import Any, TypeVar, cast

from gatepost.dtos.json_values import BOUNDS
from gatepost.dtos.structured_body import ReadBody, compile_structured_body
from gatepost.errors import Problem, Unprocessable

T = TypeVar("T")

KINDS_MAX = 512
"""Classes whose readers are kept."""


class ContentRefused(Unprocessable):
    """The refusal of JSON that a program has read itself. Its pointers are those of what was sent."""


def parse_json(content: bytes, kind: type[T]) -> T:
    """The value of JSON: an instance of a Struct, a dataclass, a TypedDict or a pydantic model, or what is made of
    these, as `list[Line]`. `content` is UTF-8.

    It is read as the body of an endpoint is: strictly, with constraints of annotated-types at every depth. Members have
    the names that the class gives them, whatever the dialect of the application: a sender has names of its own. Raises
    `BadRequest` (400 `malformed_json`) and `Unprocessable` (422 `invalid_body`, whose `errors` name every violation
    with its pointer), and `ConfigurationError` for a class that no JSON can hold.
    """
    try:
        return cast("T", _reader(cast("Any", kind))(content))
    except Unprocessable as problem:
        raise ContentRefused(problem.code, problem.detail, errors=problem.errors) from None


def is_located(problem: Problem) -> bool:
    """Whether the pointers of a problem are already those of what the client sent."""
    return isinstance(problem, ContentRefused)


@lru_cache(KINDS_MAX)
def _reader(kind: Any) -> ReadBody:
    return compile_structured_body(kind, f"parse_json({getattr(kind, '__name__', kind)})", BOUNDS)
