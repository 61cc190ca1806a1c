"""Which indexes of a database do nothing that another one does not do, and without which one something would be slow.

Outside the request path: `index_advice.py` asks.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table

from gatepost.database.index_catalog import CatalogIndex, IndexCatalog, TableKey
from gatepost.models.missing_indexes import Declared


def superfluous_indexes(
    indexes: Sequence[CatalogIndex], models: "Mapping[TableKey, Table[Any]]"
) -> dict[CatalogIndex, CatalogIndex]:
    """Each index whose work another one does as well, with that other one, which stays."""

    def worth(index: CatalogIndex) -> tuple[Any, ...]:
        table = models.get(index.table_key)
        is_declared = table is not None and any(each.name == index.name for each in table.indexes)
        counts = (len(index.keys), len(index.included), index.scans)
        return index.is_required, index.is_unique, is_declared, *counts, index.name

    found: dict[CatalogIndex, CatalogIndex] = {}
    for each in sorted(indexes, key=lambda index: (len(index.keys), worth(index))):
        for other in indexes:
            is_equal = other.keys == each.keys and other.included == each.included
            stays = worth(other) > worth(each) if is_equal else other is not each
            if other not in found and stays and _replaces(other, each):
                found[each] = other
                break
    return found


def needed_indexes(declared: Declared, catalog: IndexCatalog, indexes: Sequence[CatalogIndex]) -> set[CatalogIndex]:
    """Those without which a foreign key or the rows of an owner would be found by none."""
    found: set[CatalogIndex] = set()
    for constraint in catalog.foreign_keys:
        finding = [each for each in indexes if each.table_key == constraint.table_key and constraint.is_found_by(each)]
        found.update(finding if len(finding) == 1 else ())
    for owner in declared.owners:
        key, name = (owner.entity.table.schema, owner.entity.table.name), owner.attribute.column.name
        finding = [each for each in indexes if each.table_key == key and each.keys[0].column == name]
        found.update(finding if len(finding) == 1 else ())
    return found


def _replaces(other: CatalogIndex, index: CatalogIndex) -> bool:
    """Whether all that an index does is done by another one."""
    if index.is_required or (other.table_key, other.method) != (index.table_key, index.method):
        return False
    is_equal = other.keys == index.keys
    if index.is_unique and not (is_equal and other.is_unique and other.is_unusual == index.is_unusual):
        return False
    begins = is_equal or (index.method == "btree" and other.keys[: len(index.keys)] == index.keys)
    held = other.included | {key.column for key in other.keys}
    return begins and other.predicate == index.predicate and index.included <= held
