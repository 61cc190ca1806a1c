"""Values as responses show them, compared with what a body sends back.

A row can hold what no body may have (`docs/reference/wire.md`). Sent back unchanged it is accepted: it is compared with
the JSON that the row shows, and then left alone.
"""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from gatepost.dtos.strict_json import DoubledKeys, Number, has_doubled_keys, keep_members


def unchanged_names(row: str, sent: Mapping[str, Any]) -> frozenset[str]:
    """The names of the values in `sent`, as `strict_json.read_any_keys` gives them, that a row shows as well. `row`
    is its JSON; what is not in it is not shown. A value without doubled keys is compared as most clients read the row:
    with the last of those that it shows."""
    try:
        doubled = {name for name, value in sent.items() if has_doubled_keys(value)}
        shown = read_row(row)
        whole = _read_members(row) if doubled else shown
        return frozenset(
            name
            for name, value in sent.items()
            if name in shown and _is_same((whole if name in doubled else shown)[name], value)
        )
    except RecursionError:
        return frozenset()


read_row: Callable[[str], dict[str, Any]] = json.JSONDecoder(parse_int=Number, parse_float=Number).decode
"""The members of a row's JSON. Not strict: other programs store what no body may have."""

_read_members: Callable[[str], dict[str, Any]] = json.JSONDecoder(
    object_pairs_hook=keep_members, parse_int=Number, parse_float=Number
).decode


def _is_same(shown: Any, sent: Any) -> bool:
    if shown.__class__ is not sent.__class__:
        return False
    if shown.__class__ is DoubledKeys:
        return _are_same(_parts(shown), _parts(sent))
    if shown.__class__ is list:
        return _are_same(shown, sent)
    if shown.__class__ is dict:
        return shown.keys() == sent.keys() and all(_is_same(shown[name], sent[name]) for name in shown)
    return bool(shown == sent) or (shown.__class__ is Number and Decimal(shown) == Decimal(sent))


def _are_same(shown: list[Any], sent: list[Any]) -> bool:
    return len(shown) == len(sent) and all(map(_is_same, shown, sent))


def _parts(doubled: DoubledKeys) -> list[Any]:
    """Names and values in their order."""
    return [part for member in doubled.members for part in member]
