"""Values as responses show them, compared with what a body sends back.

A row can hold what no body may have (`docs/reference/wire.md`). Sent back unchanged it is accepted: it is compared with
the JSON that the row shows, and then left alone.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, cast

from gatepost.dtos.strict_json import Number


def unchanged_names(row: str, sent: Mapping[str, Any]) -> frozenset[str]:
    """The names of the values in `sent`, as `strict_json.read_json` gives them, that a row shows as well. `row` is its
    JSON; what is not in it is not shown."""
    try:
        shown = cast("dict[str, Any]", _read(row))
        return frozenset(name for name, value in sent.items() if name in shown and _is_same(shown[name], value))
    except RecursionError:
        return frozenset()


_read = json.JSONDecoder(parse_int=Number, parse_float=Number).decode
"""Not strict: other programs store what no body may have."""


def _is_same(shown: Any, sent: Any) -> bool:
    if shown.__class__ is not sent.__class__:
        return False
    if shown.__class__ is list:
        return len(shown) == len(sent) and all(map(_is_same, shown, sent))
    if shown.__class__ is dict:
        return shown.keys() == sent.keys() and all(_is_same(shown[name], sent[name]) for name in shown)
    return bool(shown == sent) or (shown.__class__ is Number and Decimal(shown) == Decimal(sent))
