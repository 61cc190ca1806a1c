"""The database schema that a declaration implies, added to the application's MetaData once, when the app is built.

Outside the request path. CHECK constraints are made in `check_constraints.py`, indexes in `indexes.py`, triggers in
`schema_objects.py`; `constraint_violations.py` says what a broken one means. Migrating a database to this schema is
left to the `migrations` package, which a serving process never imports.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gatepost.declaring.resource import Resource
from gatepost.models.check_constraints import add_checks
from gatepost.models.constraint_names import name_constraints
from gatepost.models.declared_fields import check_declared_fields
from gatepost.models.entity import Entity
from gatepost.models.extensions import add_extensions
from gatepost.models.indexes import add_filter_index, add_search_index, add_sort_index
from gatepost.models.schema_objects import add_version_trigger

ATTRIBUTE = "gatepost.attribute"
"""Key in `Column.info`: the name of the attribute that maps the column, where the two differ."""


def complete_schema(entities: Sequence[Entity], resources: Mapping[type, Resource[Any]]) -> None:
    """Add what the declaration implies to the tables' MetaData. Idempotent.

    `resources` maps models to their resource. Raises `ConfigurationError` for fields that do not exist, or that are
    named without an effect.
    """
    all_metadata = {entity.table.metadata: None for entity in entities}
    for metadata in all_metadata:
        name_constraints(metadata)
    for entity in entities:
        _note_attribute_names(entity)
        add_checks(entity)
        add_version_trigger(entity)
        resource = resources.get(entity.model)
        if resource is not None:
            check_declared_fields(entity, resource)
            _add_indexes(entity, resource)
    for metadata in all_metadata:
        add_extensions(metadata)


def _note_attribute_names(entity: Entity) -> None:
    for attribute in entity.attributes.values():
        if attribute.name != attribute.column.name:
            attribute.column.info[ATTRIBUTE] = attribute.name


def _add_indexes(entity: Entity, resource: Resource[Any]) -> None:
    for field in resource.sort:
        add_sort_index(entity, field)
    for field in resource.filter:
        add_filter_index(entity, field)
    for field in resource.search:
        add_search_index(entity, field)
