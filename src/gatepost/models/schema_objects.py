"""What a table needs beside columns, constraints and indexes: extensions, sequences, domains, functions, triggers.

Outside the request path. A feature declares objects in `table.info[OBJECTS]`; the migrations create, compare and drop
them. The hash of a definition is kept as the COMMENT of its object, so that a changed declaration and a changed
database are both seen.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, Literal, cast

import msgspec
from sqlalchemy import MetaData, Sequence, Table
from sqlalchemy.dialects.postgresql import CreateDomainType
from sqlalchemy.schema import CreateSequence

from gatepost.database.statements import DIALECT
from gatepost.models.entity import Entity
from gatepost.models.schema_names import full_name, qualified, quote

OBJECTS = "gatepost.objects"
"""Key in `Table.info`: the list of SchemaObject that the table needs."""

COMMENT_PREFIX = "gatepost:"
BODY_QUOTE = "$gatepost$"
"""Write a function's body between these, so that a body replaced by hand is seen."""

_KINDS = ("extension", "sequence", "domain", "function", "trigger")


class SchemaObject(msgspec.Struct, frozen=True):
    """One extension, sequence, domain, function (without arguments) or trigger.

    `name` is unquoted; `table` is the trigger's, None for the others, and `schema` that of the table, sequence or
    domain, None for the default one (where the functions are). `create` must succeed where the object exists already
    (OR REPLACE, IF NOT EXISTS), except for a domain; `drop` undoes it. Functions are shared: equal names must be equal
    objects.
    """

    kind: Literal["extension", "sequence", "domain", "function", "trigger"]
    name: str
    create: str
    drop: str
    table: str | None = None
    schema: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Kind, table and name: what makes two objects the same."""
        return self.kind, full_name(self.table or "", self.schema), self.name

    @property
    def definition_hash(self) -> str:
        """A short hash of the definition."""
        return hashlib.sha256(self.create.encode()).hexdigest()[:16]

    @property
    def body(self) -> str | None:
        """A function's body, verbatim, where it is written between BODY_QUOTE."""
        parts = self.create.split(BODY_QUOTE)
        return parts[1] if len(parts) == 3 else None

    @property
    def comment(self) -> str | None:
        """The statement that keeps the hash; None for what is compared by its name alone."""
        target = {
            "function": f"FUNCTION {quote(self.name)}()",
            "trigger": f"TRIGGER {quote(self.name)} ON {qualified(self.table or '', self.schema)}",
        }.get(self.kind)
        return target and f"COMMENT ON {target} IS '{COMMENT_PREFIX}{self.definition_hash}'"

    @property
    def statements(self) -> list[str]:
        """What creates the object."""
        return [self.create, *([self.comment] if self.comment else [])]


def extension(name: str) -> SchemaObject:
    """An extension of PostgreSQL. It is never dropped, because other applications may use it."""
    return SchemaObject("extension", name, f"CREATE EXTENSION IF NOT EXISTS {quote(name)}", "")


def sequence(item: Sequence) -> SchemaObject:
    """A sequence. It is never changed or dropped, because its state would be lost."""
    create = str(CreateSequence(item, if_not_exists=True).compile(dialect=DIALECT))
    return SchemaObject("sequence", item.name, create, "", schema=item.schema)


def domain(item: Any) -> SchemaObject:
    """A domain (`DOMAIN`). It is never changed, because values of others may depend on what it admits."""
    create = str(CreateDomainType(item).compile(dialect=DIALECT))
    name: str = item.name
    schema: str | None = item.schema
    return SchemaObject("domain", name, create, f"DROP DOMAIN IF EXISTS {qualified(name, schema)}", schema=schema)


def trigger_function(name: str, body: str) -> SchemaObject:
    """A PL/pgSQL function for triggers; `body` is everything from BEGIN to END."""
    head = f"CREATE OR REPLACE FUNCTION {quote(name)}() RETURNS trigger LANGUAGE plpgsql AS"
    create = f"{head} {BODY_QUOTE}{body}{BODY_QUOTE}"
    return SchemaObject("function", name, create, f"DROP FUNCTION IF EXISTS {quote(name)}()")


def trigger(name: str, table: "Table[Any]", when: str, call: str) -> SchemaObject:
    """A trigger; `when` is its event (`AFTER UPDATE {table}`), `call` the rest (`FOR EACH ROW EXECUTE ...`)."""
    target = qualified(table.name, table.schema)
    create = f"CREATE OR REPLACE TRIGGER {quote(name)} {when.format(table=f'ON {target}')} {call}"
    drop = f"DROP TRIGGER IF EXISTS {quote(name)} ON {target}"
    return SchemaObject("trigger", name, create, drop, table.name, table.schema)


def add_object(table: "Table[Any]", item: SchemaObject) -> None:
    """Declare an object of a table; one with the same key is replaced."""
    declared = cast("list[SchemaObject]", table.info.setdefault(OBJECTS, []))
    declared[:] = [*(known for known in declared if known.key != item.key), item]


def objects_of(metadata: MetaData) -> list[SchemaObject]:
    """Every declared object once, in the order in which they can be created."""
    declared: Iterable[SchemaObject] = (
        item for table in metadata.sorted_tables for item in cast("list[SchemaObject]", table.info.get(OBJECTS, []))
    )
    found = {item.key: item for item in declared}
    return sorted(found.values(), key=lambda item: (_KINDS.index(item.kind), item.key))


def tables_of_objects(metadata: MetaData) -> dict[tuple[str, str, str], list["Table[Any]"]]:
    """The tables that declare each object, by its key."""
    found: dict[tuple[str, str, str], list[Table[Any]]] = {}
    for table in metadata.sorted_tables:
        for item in cast("list[SchemaObject]", table.info.get(OBJECTS, [])):
            found.setdefault(item.key, []).append(table)
    return found


def add_version_trigger(table: "Table[Any]", entities: Iterable[Entity]) -> None:
    """Maintain `version`, `updated_at` and `created_at` on every UPDATE, by any client of the database, where one of
    the entities over the table has them as managed columns.

    An UPDATE that changes nothing leaves the row and its entity tag as they were; values that it sets in these columns
    are ignored. PostgreSQL fires triggers in alphabetical order, and the name comes late: the trigger sees the row as
    the other triggers leave it.
    """
    kept = {name: column for entity in entities for name, column in _kept_columns(entity).items()}
    if "version" not in kept and "updated_at" not in kept:
        return
    computed = tuple(column.name for column in table.columns if column.computed is not None)
    shape = hashlib.sha256(repr((sorted(kept.items()), computed)).encode()).hexdigest()[:8]
    function = trigger_function(f"gatepost_keep_row_{shape}", _keeping_body(kept, computed))
    add_object(table, function)
    call = f"FOR EACH ROW EXECUTE FUNCTION {quote(function.name)}()"
    add_object(table, trigger("zz_gatepost_keep_row", table, "BEFORE UPDATE {table}", call))


def _kept_columns(entity: Entity) -> dict[str, str]:
    kept = {
        name: entity.attributes[name].column.name
        for name in ("created_at", "updated_at")
        if name in entity.attributes and entity.attributes[name].managed
    }
    if entity.version is not None:
        kept["version"] = entity.version.name
    return kept


def _keeping_body(kept: dict[str, str], computed: tuple[str, ...]) -> str:
    """`*<>` compares the rows as they are stored, so it works for types without equality (json) as well. Computed
    columns are not filled in yet when the trigger runs: they are taken over for the comparison."""
    columns = [*kept.values(), *computed]
    lines = ["", "BEGIN", *(f"  NEW.{quote(name)} := OLD.{quote(name)};" for name in columns)]
    lines.append("  IF NEW *<> OLD THEN")
    if version := kept.get("version"):
        lines.append(f"    NEW.{quote(version)} := OLD.{quote(version)} + 1;")
    if updated_at := kept.get("updated_at"):
        lines.append(f"    NEW.{quote(updated_at)} := now();")
    return "\n".join([*lines, "  END IF;", "  RETURN NEW;", "END;", ""])
