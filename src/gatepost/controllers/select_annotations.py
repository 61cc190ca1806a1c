"""What `-> Select[Book]` selects. At run time SQLAlchemy gives `Select` itself for it, so the annotation is read from
the source of the function."""

import ast
import inspect
import linecache
import tokenize
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import Any, cast

from gatepost.errors import ConfigurationError
from gatepost.models.annotations import UNREADABLE


def selected_of(function: Callable[..., Any], location: str) -> list[Any]:
    """What the `Select[...]`s in the return annotation of a function select, one after the other. Raises
    `ConfigurationError` where they cannot be read."""
    found: list[Any] = []
    for node in _subscripts(function):
        try:
            found.append(_evaluated(node.slice, function))
        except UNREADABLE as error:
            raise _unreadable(location, f" ({error})") from None
    if not found:
        raise _unreadable(location, "")
    return found


def _evaluated(node: ast.expr, function: Callable[..., Any]) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        node = ast.parse(node.value, mode="eval").body
    return eval(compile(ast.Expression(node), "<annotation>", "eval"), function.__globals__)  # noqa: S307 - the application's own code


def _subscripts(function: Callable[..., Any]) -> Iterator[ast.Subscript]:
    annotation = _annotation(function)
    for node in () if annotation is None else ast.walk(annotation):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).rpartition(".")[2] == "Select":
            yield node


def _annotation(function: Callable[..., Any]) -> ast.expr | None:
    written = function.__annotations__.get("return")
    if isinstance(written, str):
        return ast.parse(written, mode="eval").body
    try:
        return ast.parse(_written(function), mode="eval").body
    except (SyntaxError, tokenize.TokenError):
        return None


def _written(function: Callable[..., Any]) -> str:
    """The return annotation in the source: what stands between the arrow and the colon. The body is not read."""
    code = cast("FunctionType", inspect.unwrap(function)).__code__
    lines = linecache.getlines(code.co_filename, function.__globals__)[code.co_firstlineno - 1 :]
    depth = 0
    found: list[str] | None = None
    for token in tokenize.generate_tokens(iter(lines).__next__):
        if token.type == tokenize.OP:
            depth += (token.string in _OPENING) - (token.string in _CLOSING)
            if depth == 0 and token.string == "->":
                found = []
                continue
            if depth == 0 and token.string == ":" and found is not None:
                break
        if found is not None and token.type not in (tokenize.NL, tokenize.COMMENT):
            found.append(token.string)
    return " ".join(found or ())


_OPENING = ("(", "[", "{")
_CLOSING = (")", "]", "}")


def _unreadable(location: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"returns a Select, and what it selects cannot be read{reason}.",
        location=location,
        hint="Write `-> Select[...]` with the name of a model in the module, or `-> Select[str]` for columns.",
    )
