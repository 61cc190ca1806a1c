"""Examples, made from shapes: a value of each form within its bounds, the same at every run."""

from collections.abc import Callable, Iterator, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Annotated, Any, cast

from gatepost.dtos.structured_json import column_type_of
from gatepost.dtos.structured_members import alternatives_of, has_members, members_of, without_metadata
from gatepost.dtos.structured_unions import tag_of
from gatepost.models.constraints import ConstraintName
from gatepost.models.shape import Form, Shape, shape_of

_TEXTS = {
    Form.UUID: "01890a5d-ac96-774b-bcce-b302099a8057",
    Form.TIMESTAMP: "2030-01-31T12:30:00Z",
    Form.DATE: "2030-01-31",
    Form.TIME: "12:30:00",
    Form.INTERVAL: "PT1H30M",
    Form.BYTES: "AAEC",
}

NO_EXAMPLE: Any = object()
"""In place of an example where none can be made."""


def example_of(shape: Shape, name: str) -> Any:
    """A value as it stands in JSON, or `NO_EXAMPLE`. `name` is that of the field, of which texts are made."""
    is_made_by_code = shape.is_converted and shape.structure is None
    if is_made_by_code or any(item.name == "predicate" for item in shape.constraints):
        return NO_EXAMPLE
    make = _MAKERS.get(shape.form)
    if make is not None:
        return make(shape, name)
    declared = [item for item in shape.constraints if item.name != "second_digits"]
    return NO_EXAMPLE if declared else _TEXTS.get(shape.form, NO_EXAMPLE)


def example_of_annotation(annotation: Any, name: str = "") -> Any:
    """A value of a type as it stands in JSON, or `NO_EXAMPLE`. Of a class it has the members that are required."""
    plain, metadata = without_metadata(annotation)
    kinds = [item for item in alternatives_of(plain) if item is not type(None)]
    if len(kinds) == 1 and kinds[0] is not plain:
        return example_of_annotation(Annotated[kinds[0], *metadata] if metadata else kinds[0], name)
    if (kind := column_type_of(plain)) is not None:
        return example_of(shape_of(kind, metadata), name)
    if metadata or len(kinds) > 1 or not has_members(plain) or tag_of(plain) is not None:
        return NO_EXAMPLE
    found = {
        item.key: example_of_annotation(item.annotation, item.key) for item in members_of(plain) if item.is_required
    }
    return NO_EXAMPLE if any(value is NO_EXAMPLE for value in found.values()) else found


def _integer(shape: Shape, name: str) -> Any:
    number = _number(shape, Decimal(1))
    return str(number) if shape.is_text else int(number)


def _decimal(shape: Shape, name: str) -> Any:
    scale = 2 if shape.digits is None else max(0, shape.digits[1])
    number = _number(shape, Decimal(1).scaleb(-scale))
    return f"{number:.{scale}f}" if shape.is_text else float(number)


def _array(shape: Shape, name: str) -> Any:
    item = example_of(cast("Shape", shape.items), name.removesuffix("s"))
    return NO_EXAMPLE if item is NO_EXAMPLE else [item] * max(1, shape.bound("min_length") or 0)


def _text(shape: Shape, name: str) -> str:
    """The words of the name, in as many characters as are allowed."""
    least, most = shape.bound("min_length") or 0, shape.bound("max_length")
    text = name.replace("_", " ").strip().capitalize() or "Text"
    text += "." * max(0, least - len(text))
    return text if most is None else text[:most]


_MAKERS: Mapping[Form, Callable[[Shape, str], Any]] = {
    Form.BOOLEAN: lambda shape, name: True,
    Form.ENUM: lambda shape, name: shape.choices[0][1] if shape.choices else NO_EXAMPLE,
    Form.INTEGER: _integer,
    Form.FLOAT: lambda shape, name: float(_number(shape, Decimal("0.1"))),
    Form.DECIMAL: _decimal,
    Form.TEXT: _text,
    Form.ARRAY: _array,
    Form.DOCUMENT: lambda shape, name: {} if shape.structure is None else example_of_annotation(shape.structure),
}


def _number(shape: Shape, step: Decimal) -> Decimal:
    """A number of this step within the bounds, a small one where they leave room."""
    low = max(_bounds(shape, {"ge": Decimal(0), "gt": step}), default=Decimal(0))
    high = min(_bounds(shape, {"le": Decimal(0), "lt": -step}), default=Decimal("1e9"))
    steps = [Decimal(str(item.value)) for item in shape.constraints if item.name == "multiple_of"]
    unit = max([step, *steps])
    wanted = max(low, min(high, Decimal("12.5") if step < 1 else Decimal(1)))
    if shape.digits is not None and abs(wanted) >= Decimal(10) ** shape.digits[0]:
        wanted = max(low, step)
    return (wanted / unit).to_integral_value(ROUND_CEILING) * unit


def _bounds(shape: Shape, further: Mapping[ConstraintName, Decimal]) -> Iterator[Decimal]:
    """The bounds of these names, moved to the nearest value that is accepted."""
    for name, step in further.items():
        value = shape.bound(name)
        if value is not None and Decimal(str(value)).is_finite():
            yield Decimal(str(value)) + step
