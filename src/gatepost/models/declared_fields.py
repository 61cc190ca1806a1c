"""Whether the fields that a resource names exist, and whether naming them has an effect. Asked once, when the app is
built, before `indexes.py` makes their indexes.
"""

from typing import Any, cast

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper

from gatepost.errors import ConfigurationError
from gatepost.hints import did_you_mean
from gatepost.models.document_paths import SEPARATOR, field_of, unknown_key
from gatepost.models.entity import Entity
from gatepost.models.expressions import expression_on, reads_other_rows
from gatepost.models.operators import has_elements, is_comparable, is_searchable
from gatepost.models.shape import Form, Shape
from gatepost.models.type_traits import is_padded

_COMPUTED = "a column that is computed from it (Computed) can be sorted by, and compared with lt and gt."


def check_declared_field(entity: Entity, option: str, name: str) -> None:
    """Raise `ConfigurationError` for a name in `sort=`, `filter=`, `search=`, `order=` or `fields=` that cannot mean
    anything."""
    field = field_of(name)
    if field in entity.broken or (option == "fields" and field in entity.unserved):
        return
    known = field in entity.attributes
    problem = _problem(entity, option, name, field) if known else _unknown(entity, option, field)
    if problem is not None:
        raise ConfigurationError(problem[0], location=f"Resource({entity.name}, {option}=...)", hint=problem[1])


Problem = tuple[str, str]
"""What is wrong, and what to write."""


def _unknown(entity: Entity, option: str, field: str) -> Problem:
    if option == "filter" and field in entity.relations:
        return (
            f"{field!r} is a relation of {entity.name}.",
            f"Name the field in the resource of {entity.relations[field].target.__name__}: clients can filter over "
            "relations by what is filterable there.",
        )
    synonyms = cast("Mapper[Any]", inspect(entity.model)).synonyms
    if field in synonyms:
        name = synonyms[field].name
        return f"{field!r} is a synonym of {name!r}, and no field of its own.", f"Write {name!r}."
    known = entity.attributes
    hint = did_you_mean(field, known).strip() or f"Known are: {', '.join(sorted(known))}."
    return f"{entity.name} has no field {field!r}.", hint


def _problem(entity: Entity, option: str, name: str, field: str) -> Problem | None:
    is_indexed = option != "fields" and entity.attributes[field].is_expression
    if is_indexed and reads_other_rows(expression_on(entity.model, field)):
        return (
            f"{field!r} is an expression that reads other rows, which no index holds.",
            "Keep its value in a column of the row, such as a counter that a service or trigger maintains.",
        )
    shape, kind = entity.attributes[field].shape, entity.attributes[field].column.type
    if name != field:
        return _problem_of_path(option, name, shape)
    if option == "search":
        return _problem_of_search(field, shape, kind)
    if option == "fields" or is_comparable(shape) or (option == "filter" and has_elements(shape)):
        return None
    verb = "sorted" if option in ("sort", "order") else "filtered"
    hint = f"Leave it out of {option}=."
    if shape.form is Form.DOCUMENT:
        hint = f'Name a path into the document in filter=, such as "{field}.color"; {_COMPUTED}'
    elif option == "sort" and has_elements(shape):
        hint = f"Name it in filter= instead: clients can then write {field}[has]=value."
    return f"The field {field!r} is {_noun(shape)}, and cannot be {verb} by.", hint


def _problem_of_path(option: str, name: str, shape: Shape) -> Problem | None:
    field, *keys = name.split(SEPARATOR)
    if shape.form is not Form.DOCUMENT:
        return f"{name!r} leads into {field!r}, which is not a document.", f"Write {field!r}; only JSONB has paths."
    if not shape.is_jsonb:
        return f"{name!r} leads into a column of type JSON, which cannot be indexed.", "Use JSONB."
    if not all(keys):
        return f"The path {name!r} has an empty key.", 'Write the keys of the document, such as "data.color".'
    if option != "filter":
        return f"{name!r} is a path into a document.", f"Paths are for filter=; {_COMPUTED}"
    unknown = None if shape.structure is None else unknown_key(shape.structure, keys)
    if unknown is None:
        return None
    key, known = unknown
    hint = did_you_mean(key, known).strip() or f"Known there are: {', '.join(known) or 'none'}."
    return f"No document of {field!r} has {name!r}: there is no {key!r}.", hint


def _problem_of_search(field: str, shape: Shape, kind: Any) -> Problem | None:
    if is_padded(kind):
        return f"The field {field!r} is of type CHAR, which has no trigram index.", "Use String or Text."
    if is_searchable(shape):
        return None
    if shape.form is Form.TEXT:
        return (
            f"The field {field!r} is text behind a TypeDecorator, which would convert the pattern of a search.",
            "Name it in filter= instead, or use a plain String or Text.",
        )
    hint = "Only text can be searched; name the field in filter= instead."
    if has_elements(shape):
        hint = f"Name it in filter= instead: clients can then write {field}[has]=value."
    elif shape.form is Form.DOCUMENT:
        hint = f'Name a path into the document in filter=, such as "{field}.color".'
    elif not is_comparable(shape):
        hint = "Only text can be searched; leave it out of search=."
    return f"The field {field!r} is not text.", hint


def _noun(shape: Shape) -> str:
    nouns = {Form.DOCUMENT: "a document", Form.ARRAY: "an array", Form.BYTES: "a byte string"}
    if shape.form is Form.ARRAY and not has_elements(shape):
        return "an array whose elements no query string can hold"
    return nouns.get(shape.form, "of a type that no query string can hold")
