"""Models of pydantic, beside the classes that msgspec knows. Pydantic itself is not imported: an app that declares such
a model has imported it."""

from typing import Any


def is_pydantic(kind: object) -> bool:
    """Whether a class is a pydantic model. Pydantic's dataclasses are dataclasses like others."""
    return isinstance(kind, type) and hasattr(kind, "model_validate_json")


def pydantic_document(value: Any) -> Any:
    """The document of a pydantic model, for encoders that do not know it. Raises `TypeError` for anything else."""
    if not is_pydantic(value.__class__):
        raise TypeError(f"{type(value).__name__} has no form in JSON.")
    return value.model_dump(mode="json", by_alias=True)
