"""The database schema that a declaration implies, added to the application's MetaData once, when the app is built.

Outside the request path. CHECK constraints are made in `check_constraints.py`, indexes in `indexes.py`, triggers in
`schema_objects.py`; `constraint_violations.py` says what a broken one means. Migrating a database to this schema is
left to the `migrations` package, which a serving process never imports.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from sqlalchemy import Column

from gatepost.declaring.policies import is_nobody
from gatepost.declaring.resource import Resource
from gatepost.mistakes import Mistakes
from gatepost.models.check_constraints import add_checks
from gatepost.models.constraint_names import name_constraints
from gatepost.models.declared_fields import check_declared_field
from gatepost.models.entity import Entity
from gatepost.models.extensions import add_domains, add_extensions
from gatepost.models.indexes import add_filter_index, add_search_index, add_sort_index
from gatepost.models.schema_objects import add_version_trigger
from gatepost.models.sequences import add_sequences
from gatepost.sources import location_of

ATTRIBUTE = "gatepost.attribute"
"""Key in `Column.info`: the name of the attribute that maps the column, where the two differ."""


def complete_schema(entities: Sequence[Entity], resources: Mapping[type, Sequence[Resource[Any]]]) -> None:
    """Add what the declaration implies to the tables' MetaData. Idempotent.

    `resources` maps models to their resources, in the app and in its groups: the indexes of all are added. Raises
    `ConfigurationError` with all fields that do not exist, or that are named without an effect. The indexes of a view
    stand for those of the tables below it, and are never made.
    """
    mistakes = Mistakes()
    all_metadata = {entity.table.metadata: None for entity in entities}
    for metadata in all_metadata:
        name_constraints(metadata)
    for entity in entities:
        with mistakes.check(partial(location_of, entity.model), entity.name):
            _note_attribute_names(entity)
            if not entity.is_view:
                add_checks(entity)
        for resource in resources.get(entity.model, ()):
            if entity.scope is not None and not is_nobody(resource.policies["list"]):
                # Its rows may be few among those of other classes.
                add_filter_index(entity, entity.scope.name, "the discriminator")
            _add_indexes(entity, resource, mistakes)
    for table in {entity.table: None for entity in entities if not entity.is_view}:
        add_version_trigger(table, [entity for entity in entities if entity.table is table])
    for metadata in all_metadata:
        add_domains(metadata)
        add_extensions(metadata)
        add_sequences(metadata)
    mistakes.raise_any()


def attribute_name(column: Column[Any]) -> str:
    """The name of the attribute that maps a column."""
    name: str = column.info.get(ATTRIBUTE, column.name)
    return name


def _note_attribute_names(entity: Entity) -> None:
    for attribute in entity.attributes.values():
        if attribute.name != attribute.column.name:
            attribute.column.info[ATTRIBUTE] = attribute.name


def _add_indexes(entity: Entity, resource: Resource[Any], mistakes: Mistakes) -> None:
    adding = {"sort": add_sort_index, "filter": add_filter_index, "search": add_search_index, "fields": None}
    for option, add in adding.items():
        for field in getattr(resource, option):
            with mistakes.check(resource.source):
                check_declared_field(entity, option, field)
                if add is not None:
                    add(entity, field)
    for term in resource.order:
        with mistakes.check(resource.source):
            check_declared_field(entity, "order", term.removeprefix("-"))
            add_sort_index(entity, term.removeprefix("-"))
