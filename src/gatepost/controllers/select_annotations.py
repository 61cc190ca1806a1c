"""What `-> Select[Book]` selects. At run time SQLAlchemy gives `Select` itself for it, so the annotation is read from
the source of the function."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from gatepost.errors import ConfigurationError


def selected_of(function: Callable[..., Any], location: str) -> list[Any]:
    """What the `Select[...]`s in the return annotation of a function select, one after the other. Raises
    `ConfigurationError` where they cannot be read."""
    found: list[Any] = []
    for node in _subscripts(function):
        try:
            found.append(eval(compile(ast.Expression(node.slice), "<annotation>", "eval"), function.__globals__))  # noqa: S307 - the application's own code
        except NameError as error:
            raise _unreadable(location, f" ({error})") from None
    if not found:
        raise _unreadable(location, "")
    return found


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
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError):
        return None
    return next((node.returns for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef)), None)


def _unreadable(location: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"returns a Select, and what it selects cannot be read{reason}.",
        location=location,
        hint="Write `-> Select[Book]` with a name of the module, or `-> Select[str]` for columns.",
    )
