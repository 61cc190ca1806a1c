"""Docstrings as summaries and descriptions."""

import inspect
from typing import Any


def own_docs(code: Any) -> str:
    """The docstring that a class or function has itself, without its indentation; not the signature that dataclasses
    write."""
    found = vars(code).get("__doc__") if isinstance(code, type) else code.__doc__
    if not isinstance(found, str) or found.startswith(f"{code.__name__}("):
        return ""
    return inspect.cleandoc(found)


def divided(docs: str) -> tuple[str, str]:
    """The first paragraph of a docstring in one line, without its full stop, and the rest."""
    first, _, rest = docs.partition("\n\n")
    return " ".join(first.split()).removesuffix("."), rest.strip()


def described(schema: dict[str, Any], docs: str) -> dict[str, Any]:
    """A schema with what docs say of it before what it says itself. A reference may stand beside a description."""
    if not docs:
        return schema
    own = schema.get("description")
    return {**schema, "description": f"{docs} {own}" if own else docs}
