"""What may be done to a database and what may not: weighed before the first statement.

New tables are made with everything on them; what is Gatepost's (`ownership.py`) is changed, replaced and dropped. To a
table of others something is added only with `extend`; what others made is never dropped, replaced or altered. Where it
has to be for the models to fit, that is refused by name; where it need not, it is left alone without a word.
"""

from collections.abc import Sequence

import msgspec
from alembic.operations import MigrateOperation, ops
from sqlalchemy import Connection, MetaData, PrimaryKeyConstraint, UniqueConstraint

from gatepost.migrations.canonical_sql import default_text
from gatepost.migrations.comparison import Scope, compare
from gatepost.migrations.definitions import ObjectKey, TableName, table_name
from gatepost.migrations.differences import Difference, difference
from gatepost.migrations.enums import enums_of, plain_metadata
from gatepost.migrations.existing_constraints import is_satisfied
from gatepost.migrations.leftovers import Leftover, weigh_column, weigh_loss
from gatepost.migrations.losses import has_rows, ignore_equal_type
from gatepost.migrations.objects import missing_uuidv7
from gatepost.migrations.operations import RunSQL
from gatepost.migrations.ownership import Ownership
from gatepost.migrations.refusals import names_made_by
from gatepost.models.schema_names import quote
from gatepost.models.schema_objects import tables_of_objects


class Plan(msgspec.Struct):
    """The changes to make, in order; the refused ones, as sentences; and columns that no model declares any more.

    `missing` are the names of what is refused and therefore not there. `extensible` is True where more may be done with
    `extend`, and `users_refusal` where the users' table is another's: then nothing is done at all.
    """

    allowed: list[Difference] = []
    refused: list[str] = []
    kept: list[str] = []
    missing: set[str] = set()
    extensible: bool = False
    users_refusal: str | None = None

    def add(self, leftover: Leftover) -> None:
        """Note what is not changed."""
        (self.kept if leftover.is_kept else self.refused).append(leftover.sentence)

    @property
    def differences(self) -> list[str]:
        """Everything in which the database differs, without a full stop."""
        return [*(item.summary for item in self.allowed), *(sentence.rstrip(".") for sentence in self.refused)]


def make_plan(connection: Connection, metadata: MetaData, *, embedded: bool = False, extend: bool = False) -> Plan:
    """Compare and weigh. Of an `embedded` database everything is Gatepost's. Changes nothing that lasts."""
    rows = has_rows(connection)
    if embedded:
        plan = Plan()
        found = compare(connection, metadata, rows, Scope("default"))
        for item in found:
            if item.loss is not None:
                plan.add(weigh_loss(item, found))
                plan.missing |= names_made_by(item)
            elif not (isinstance(item.operation, RunSQL) and item.operation.goes_with_table):
                plan.allowed.append(item)
    else:
        ownership = Ownership(connection, metadata)
        scope = Scope("keep", skipped=ownership.readable, foreign=ownership.foreign)
        differences = compare(connection, metadata, rows, scope)
        plan = _Planner(connection, metadata, ownership, differences, extend=extend).plan
    users = _tables_with_uuidv7(connection, metadata)
    if any(item.key.table_name in users for item in plan.allowed):
        plan.allowed[:0] = [difference(operation, rows) for operation in missing_uuidv7(connection)]
    return plan


def _tables_with_uuidv7(connection: Connection, metadata: MetaData) -> set[TableName]:
    plain = plain_metadata(metadata, connection.dialect.default_schema_name)
    return {
        table_name(table)
        for table in plain.sorted_tables
        if any("uuidv7(" in (default_text(column) or "") for column in table.columns)
    }


class _Planner:
    """Builds one plan: differences are decided in order, because refusing one may affect later ones."""

    def __init__(
        self,
        connection: Connection,
        metadata: MetaData,
        ownership: Ownership,
        differences: Sequence[Difference],
        *,
        extend: bool,
    ) -> None:
        self.plan = Plan()
        self._connection = connection
        self._metadata = metadata
        self._ownership = ownership
        self._extend = extend
        self._foreign = ownership.foreign
        self._created = {item.key for item in differences if item.action == "create"}
        self._blocked: set[ObjectKey | TableName] = set()
        self._replaced: set[ObjectKey] = set()
        self._missing: dict[TableName, list[str]] = {}
        if ownership.users_table in ownership.readable:
            self._refuse_users()
        for item in differences:
            self._weigh(item, item.key.table_name)
        for table, summaries in self._missing.items():
            self.plan.refused.append(
                f"Gatepost did not create the table {table.words} and leaves it unchanged; "
                f"the models need: {'; '.join(summaries)}."
            )

    def _weigh(self, item: Difference, table: TableName | None) -> None:
        if item.key in self._blocked or table in self._blocked or table in self._ownership.readable:
            return
        if item.action == "drop":
            self._weigh_drop(item)
        elif isinstance(item.operation, ops.DropColumnOp):
            if table is not None and table not in self._foreign:
                self.plan.add(weigh_column(item.operation, table))
        elif clash := self._clash(item):
            self._refuse(f"{item.summary}: {clash}.", item.key)
        elif table is None:
            self._weigh_shared(item)
        elif table in self._foreign:
            self._weigh_foreign(item, table)
        else:
            self._weigh_own(item)

    def _weigh_drop(self, item: Difference) -> None:
        owned = self._ownership.owns(item.key)
        if item.loss is not None:
            self._refuse(f"{item.summary}: {item.loss}.")
        elif owned and not self._is_needed(item.key):
            self.plan.allowed.append(item)
            self._replaced.add(item.key)
        elif not owned and (item.key in self._created or self._ownership.was_changed(item.key)):
            self._refuse_foreign(item.key)

    def _is_needed(self, key: ObjectKey) -> bool:
        """What no model declares may be another app's, in the same database."""
        match key.kind:
            case "function":
                return self._ownership.is_function_used(quote(key.name), self._replaced)
            case "type":
                return self._ownership.is_type_used(key.full_name)
            case "trigger":
                return key.table_name not in self._ownership.declared
            case "index" | "constraint":
                return self._is_index_used(key)
            case _:
                return False

    def _is_index_used(self, key: ObjectKey) -> bool:
        use = self._ownership.use_of_index(key.full_name)
        if use is None:
            return False
        name = key.full_name.words
        sentence = f"The {key.kind} {name} differs from the models or is in none, and {use} uses it: it is kept."
        if key in self._created:
            self._refuse(sentence, key)
        else:
            self.plan.kept.append(sentence)
        return True

    def _weigh_shared(self, item: Difference) -> None:
        """Schemas, extensions, types and functions: made for the tables that want them."""
        if item.action == "create":
            wanting = self._tables_wanting(item.key)
            if not wanting or any(self._may_add_to(table) for table in wanting):
                self.plan.allowed.append(item)
                return
            self._blocked.add(item.key)
            for table in wanting:
                self._miss(table, item.summary)
        elif not self._may_replace(item):
            self._refuse_foreign(item.key)
        elif item.loss is not None:
            self._refuse(f"{item.summary}: {item.loss}.")
        else:
            self.plan.allowed.append(item)

    def _may_add_to(self, table: TableName) -> bool:
        if table in self._blocked or table in self._ownership.readable:
            return False
        return table not in self._foreign or (self._extend and table != self._ownership.users_table)

    def _may_replace(self, item: Difference) -> bool:
        is_owned = self._ownership.owns(item.key)
        if item.key.kind != "type":
            return is_owned
        if isinstance(item.operation, RunSQL) and item.operation.committed_at_once:
            return self._extend or is_owned  # a new value takes nothing away
        return is_owned and all(map(self._ownership.owns_table, self._ownership.tables_of_type(item.key.full_name)))

    def _tables_wanting(self, key: ObjectKey) -> list[TableName]:
        default = self._connection.dialect.default_schema_name
        if key.kind == "type":
            plain = plain_metadata(self._metadata, default)
            return [table_name(table) for table in plain.sorted_tables if key.full_name in enums_of(table)]
        wanting = tables_of_objects(self._metadata).get((key.kind, "", key.name), [])
        return [TableName(None if table.schema == default else table.schema, table.name) for table in wanting]

    def _weigh_own(self, item: Difference) -> None:
        operation = item.operation
        if item.loss is not None:
            self._refuse(f"{item.summary}: {item.loss}.", item.key if item.action == "create" else None)
            self.plan.missing |= names_made_by(item)
        elif item.action == "replace" and not self._ownership.owns(item.key):
            self._refuse_foreign(item.key)
        elif function := self._blocked_function(operation):
            self._refuse(f"{item.summary}: the function {function} is not Gatepost's.", item.key)
        else:
            self.plan.allowed.append(item)

    def _weigh_foreign(self, item: Difference, table: TableName) -> None:
        key, operation = item.key, item.operation
        if isinstance(operation, ops.AlterColumnOp):
            ignore_equal_type(operation)
        if key in self._replaced or (key.kind != "table" and self._ownership.owns(key)):
            self.plan.allowed.append(item)
        elif is_satisfied(self._connection, operation) or _only_eases(operation):
            return
        elif table == self._ownership.users_table:
            self._refuse_users()
        elif key.kind == "trigger" and item.action != "create":
            self._refuse_foreign(key)
        elif not _only_adds(item):
            self._refuse(
                f"{item.summary}: Gatepost did not create the table, and changes no columns and keys of such tables."
            )
        elif not self._extend:
            self._miss(table, item.summary)
        else:
            self._weigh_own(item)

    def _clash(self, item: Difference) -> str | None:
        """What has the name already that the new object would take."""
        schema, name = item.key.full_name
        names: list[str] = []
        if isinstance(item.operation, ops.CreateTableOp):
            keys = (it for it in item.operation.columns if isinstance(it, UniqueConstraint | PrimaryKeyConstraint))
            names = [name, *(str(key.name) for key in keys if key.name)]
        elif isinstance(item.operation, ops.CreateIndexOp | ops.CreateUniqueConstraintOp) or (
            item.key.kind == "type" and item.action == "create"
        ):
            names = [name]
        for taken in (TableName(schema, name) for name in names):
            kind = self._ownership.relation(taken)
            if kind is not None and item.key not in self._replaced:
                article = "an" if kind[0] in "aeiou" else "a"
                return f"there is {article} {kind} {taken.words} already"
        return None

    def _blocked_function(self, operation: MigrateOperation) -> str | None:
        text = " ".join(operation.statements) if isinstance(operation, RunSQL) else ""
        functions = (item for item in self._blocked if isinstance(item, ObjectKey) and item.kind == "function")
        return next((item.name for item in functions if f" {quote(item.name)}(" in text), None)

    def _miss(self, table: TableName, summary: str) -> None:
        if table in self._blocked or table in self._ownership.readable:
            return
        if table == self._ownership.users_table:
            self._refuse_users()
            return
        self.plan.extensible = True
        self._missing.setdefault(table, []).append(summary)

    def _refuse(self, sentence: str, blocked: ObjectKey | None = None) -> None:
        self.plan.refused.append(sentence)
        if blocked is not None:
            self._blocked.add(blocked)
            self.plan.missing.add(blocked.name)
            if blocked.kind == "table":
                self._blocked.add(blocked.full_name)

    def _refuse_foreign(self, key: ObjectKey) -> None:
        reason = "Gatepost did not create it"
        if self._ownership.was_changed(key):
            reason = "was changed by others since Gatepost made it"
        elif self._ownership.owns(key):
            others = (
                name for name in self._ownership.tables_of_type(key.full_name) if not self._ownership.owns_table(name)
            )
            reason = f"{', '.join(name.words for name in others)} uses it, which Gatepost did not create"
        words = key.words[0].upper() + key.words[1:]
        self._refuse(f"{words} differs from the models, and {reason}: it is left unchanged.", key)

    def _refuse_users(self) -> None:
        table = self._ownership.users_table or TableName(None, "users")
        self.plan.users_refusal = (
            f"`{table.words}` exists and is not Gatepost's: write App(users=...) or choose another table. "
            "(If an earlier version of Gatepost made it, run `gatepost migrate claim`.)"
        )
        self.plan.refused.insert(0, self.plan.users_refusal)
        self._blocked.add(table)


def _only_adds(item: Difference) -> bool:
    operation = item.operation
    if isinstance(operation, ops.AlterColumnOp):
        adds_default = operation.modify_server_default is False or operation.existing_server_default in (None, False)
        return operation.modify_type is None and adds_default
    return isinstance(operation, ops.AddColumnOp) or item.action == "create"


def _only_eases(operation: MigrateOperation) -> bool:
    """Nothing, or a rule that the database has and the models have not: NOT NULL, or a default."""
    return (
        isinstance(operation, ops.AlterColumnOp)
        and operation.modify_type is None
        and operation.modify_nullable is not False
        and operation.modify_server_default in (False, None)
    )
