"""What may be done to a database and what may not: weighed before the first statement.

New tables are made with everything on them; what is Gatepost's (`ownership.py`) is changed, replaced and dropped. To a
table of others something is added only with `extend`; what others made is never dropped, replaced or altered. Where it
has to be for the models to fit, that is refused by name; where it need not, it is left alone without a word.
"""

from collections.abc import Sequence

import msgspec
from alembic.operations import MigrateOperation
from alembic.operations.ops import (
    AddColumnOp,
    AlterColumnOp,
    CreateIndexOp,
    CreateTableOp,
    CreateUniqueConstraintOp,
    DropColumnOp,
)
from sqlalchemy import Connection, MetaData, PrimaryKeyConstraint, UniqueConstraint

from gatepost.migrations.canonical_sql import default_text
from gatepost.migrations.comparison import Difference, TableName, compare
from gatepost.migrations.enums import enums_of, plain_metadata
from gatepost.migrations.existing_constraints import is_satisfied
from gatepost.migrations.losses import has_rows, ignore_equal_type
from gatepost.migrations.objects import missing_uuidv7
from gatepost.migrations.operations import RunSQL, Subject
from gatepost.migrations.ownership import Ownership
from gatepost.migrations.subjects import creates, drops, key_of, subject_of, table_of
from gatepost.models.schema_names import full_name, qualified, quote
from gatepost.models.schema_objects import tables_of_objects


class Plan(msgspec.Struct):
    """The changes to make, in order; the refused ones, as sentences; and columns that no model declares any more.

    `extensible` is True where more may be done with `extend`, and `users_refusal` where the users' table is another's:
    then nothing is done at all.
    """

    allowed: list[Difference] = []
    refused: list[str] = []
    kept: list[str] = []
    extensible: bool = False
    users_refusal: str | None = None


def make_plan(connection: Connection, metadata: MetaData, *, embedded: bool = False, extend: bool = False) -> Plan:
    """Compare and weigh. Of an `embedded` database everything is Gatepost's. Changes nothing that lasts."""
    if embedded:
        plan = Plan()
        for item in compare(connection, metadata, has_rows(connection), undeclared="default"):
            if item.loss is not None:
                plan.refused.append(f"{item.summary}: {item.loss}.")
            elif not (isinstance(item.operation, RunSQL) and item.operation.goes_with_table):
                plan.allowed.append(item)
    else:
        ownership = Ownership(connection, metadata)
        differences = compare(
            connection,
            metadata,
            has_rows(connection),
            undeclared="keep",
            skipped=ownership.readable,
            foreign=ownership.foreign,
        )
        plan = _Planner(connection, metadata, ownership, differences, extend=extend).plan
    plan.allowed[:0] = _uuidv7_for(connection, metadata, plan.allowed)
    return plan


def _uuidv7_for(connection: Connection, metadata: MetaData, allowed: Sequence[Difference]) -> list[Difference]:
    plain = plain_metadata(metadata, connection.dialect.default_schema_name)
    users = {
        (table.schema, table.name)
        for table in plain.sorted_tables
        if any("uuidv7(" in (default_text(column) or "") for column in table.columns)
    }
    if not any(table_of(subject_of(item.operation)) in users for item in allowed):
        return []
    return [Difference(item, item.summary, None) for item in missing_uuidv7(connection)]


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
        self._created = {subject_of(item.operation) for item in differences if creates(item.operation)}
        self._blocked: set[Subject | TableName] = set()
        self._replaced: set[Subject] = set()
        self._missing: dict[TableName, list[str]] = {}
        self._refuse_users_that_is_no_table()
        for item in differences:
            self._weigh(item, subject_of(item.operation))
        for table, summaries in self._missing.items():
            self.plan.refused.append(
                f"Gatepost did not create the table {full_name(table[1], table[0])} and leaves it unchanged; "
                f"the models need: {'; '.join(summaries)}."
            )

    def _weigh(self, item: Difference, subject: Subject) -> None:
        operation, table = item.operation, table_of(subject)
        if subject in self._blocked or table in self._blocked or table in self._ownership.readable:
            return
        if drops(operation):
            self._weigh_drop(item, subject)
        elif isinstance(operation, DropColumnOp):
            self._keep_column(operation, table)
        elif clash := self._clash(operation, subject):
            self._refuse(f"{item.summary}: {clash}.", subject)
        elif table is None:
            self._weigh_shared(item, subject)
        elif table in self._foreign:
            self._weigh_foreign(item, subject, table)
        else:
            self._weigh_own(item, subject)

    def _weigh_drop(self, item: Difference, subject: Subject) -> None:
        owned = self._ownership.owns(subject)
        if owned and not self._is_needed(subject):
            self.plan.allowed.append(item)
            self._replaced.add(subject)
        elif not owned and (subject in self._created or self._ownership.was_changed(subject)):
            self._refuse_foreign(subject)

    def _is_needed(self, subject: Subject) -> bool:
        """What no model declares may be another app's, in the same database."""
        if subject.kind == "function":
            default = self._ownership.default_schema
            dropped = [key_of(gone, default) for gone in self._replaced]
            return self._ownership.is_function_used(quote(subject.name), dropped)
        if subject.kind == "type":
            return self._ownership.is_type_used(qualified(subject.name, subject.schema))
        if subject.kind == "trigger":
            return table_of(subject) not in self._ownership.declared
        if subject.kind in ("index", "constraint"):
            return self._is_index_used(subject)
        return False

    def _is_index_used(self, subject: Subject) -> bool:
        name = full_name(subject.name, subject.schema)
        use = self._ownership.use_of_index(qualified(subject.name, subject.schema))
        if use is None:
            return False
        sentence = f"The {subject.kind} {name} differs from the models or is in none, and {use} uses it: it is kept."
        if subject in self._created:
            self._refuse(sentence, subject)
        else:
            self.plan.kept.append(sentence)
        return True

    def _keep_column(self, operation: DropColumnOp, table: TableName | None) -> None:
        if table in self._foreign:
            return
        name = f"{full_name(operation.table_name, operation.schema)}.{operation.column_name}"
        column = operation.to_column()
        if column.nullable or column.server_default is not None or column.identity is not None:
            self.plan.kept.append(f"The column {name} is in no model: it is kept, with every value in it.")
        else:
            self._refuse(
                f"The column {name}, NOT NULL and without a default, is in no model, and stops every INSERT.", None
            )

    def _weigh_shared(self, item: Difference, subject: Subject) -> None:
        """Schemas, extensions, types and functions: made for the tables that want them."""
        operation = item.operation
        if creates(operation):
            wanting = self._tables_wanting(subject)
            if not wanting or any(self._may_add_to(table) for table in wanting):
                self.plan.allowed.append(item)
                return
            self._blocked.add(subject)
            for table in wanting:
                self._miss(table, item.summary)
        elif not self._may_replace(operation, subject):
            self._refuse_foreign(subject)
        elif item.loss is not None:
            self.plan.refused.append(f"{item.summary}: {item.loss}.")
        else:
            self.plan.allowed.append(item)

    def _may_add_to(self, table: TableName) -> bool:
        if table in self._blocked or table in self._ownership.readable:
            return False
        return table not in self._foreign or (self._extend and table != self._ownership.users_table)

    def _may_replace(self, operation: MigrateOperation, subject: Subject) -> bool:
        if subject.kind != "type":
            return self._ownership.owns(subject)
        if isinstance(operation, RunSQL) and operation.committed_at_once:  # a new value takes nothing away
            return self._extend or self._ownership.owns(subject)
        users = self._ownership.tables_of_type(qualified(subject.name, subject.schema))
        own = (self._ownership.owns(Subject("table", name[0], "", name[1])) for name in users)
        return self._ownership.owns(subject) and all(own)

    def _tables_wanting(self, subject: Subject) -> list[TableName]:
        default = self._ownership.default_schema
        if subject.kind == "type":
            plain = plain_metadata(self._metadata, default)
            return [
                (table.schema, table.name)
                for table in plain.sorted_tables
                if (subject.schema, subject.name) in enums_of(table)
            ]
        kind = "extension" if subject.kind == "extension" else "function"
        wanting = tables_of_objects(self._metadata).get((kind, "", subject.name), [])
        return [(None if table.schema == default else table.schema, table.name) for table in wanting]

    def _weigh_own(self, item: Difference, subject: Subject) -> None:
        operation = item.operation
        if item.loss is not None:
            self._refuse(f"{item.summary}: {item.loss}.", subject if creates(operation) else None)
        elif isinstance(operation, RunSQL) and operation.action == "replace" and not self._ownership.owns(subject):
            self._refuse_foreign(subject)
        elif function := self._blocked_function(operation):
            self._refuse(f"{item.summary}: the function {function} is not Gatepost's.", subject)
        else:
            self.plan.allowed.append(item)

    def _weigh_foreign(self, item: Difference, subject: Subject, table: TableName) -> None:
        operation = item.operation
        if isinstance(operation, AlterColumnOp):
            ignore_equal_type(operation)
        if subject in self._replaced or (subject.kind != "table" and self._ownership.owns(subject)):
            self.plan.allowed.append(item)
        elif is_satisfied(self._connection, operation) or _only_eases(operation):
            return
        elif table == self._ownership.users_table:
            self._refuse_users()
        elif subject.kind == "trigger" and not creates(operation):
            self._refuse_foreign(subject)
        elif not _only_adds(operation):
            self._refuse(
                f"{item.summary}: Gatepost did not create the table, and changes no columns and keys of such tables.",
                None,
            )
        elif not self._extend:
            self._miss(table, item.summary)
        else:
            self._weigh_own(item, subject)

    def _clash(self, operation: MigrateOperation, subject: Subject) -> str | None:
        """What has the name already that the new object would take."""
        names: list[str] = []
        if isinstance(operation, CreateTableOp):
            constraints = (
                item for item in operation.columns if isinstance(item, UniqueConstraint | PrimaryKeyConstraint)
            )
            names = [subject.name, *(str(item.name) for item in constraints if item.name)]
        elif isinstance(operation, CreateIndexOp | CreateUniqueConstraintOp) or (
            subject.kind == "type" and creates(operation)
        ):
            names = [subject.name]
        for name in names:
            kind = self._ownership.relation((subject.schema, name))
            if kind is not None and subject not in self._replaced:
                article = "an" if kind[0] in "aeiou" else "a"
                return f"there is {article} {kind} {full_name(name, subject.schema)} already"
        return None

    def _blocked_function(self, operation: MigrateOperation) -> str | None:
        text = " ".join(operation.statements) if isinstance(operation, RunSQL) else ""
        functions = (item for item in self._blocked if isinstance(item, Subject) and item.kind == "function")
        return next((item.name for item in functions if f" {quote(item.name)}(" in text), None)

    def _miss(self, table: TableName, summary: str) -> None:
        if table in self._blocked or table in self._ownership.readable:
            return
        if table == self._ownership.users_table:
            self._refuse_users()
            return
        self.plan.extensible = True
        self._missing.setdefault(table, []).append(summary)

    def _refuse(self, sentence: str, blocked: Subject | None) -> None:
        self.plan.refused.append(sentence)
        if blocked is not None:
            self._blocked.add(blocked)
            if blocked.kind == "table":
                self._blocked.add((blocked.schema, blocked.name))

    def _refuse_foreign(self, subject: Subject) -> None:
        words = key_of(subject, self._ownership.default_schema).words(self._ownership.default_schema)
        reason = "Gatepost did not create it"
        if self._ownership.was_changed(subject):
            reason = "was changed by others since Gatepost made it"
        self._refuse(
            f"{words[0].upper()}{words[1:]} differs from the models, and {reason}: it is left unchanged.", subject
        )

    def _refuse_users_that_is_no_table(self) -> None:
        name = self._ownership.users_table
        if name is not None and name in self._ownership.readable:
            self._refuse_users()

    def _refuse_users(self) -> None:
        schema, name = self._ownership.users_table or (None, "users")
        self.plan.users_refusal = (
            f"`{full_name(name, schema)}` exists and is not Gatepost's: write App(users=...) or choose another table. "
            "(If an earlier version of Gatepost made it, run `gatepost migrate claim`.)"
        )
        self.plan.refused.insert(0, self.plan.users_refusal)
        self._blocked.add((schema, name))


def _only_adds(operation: MigrateOperation) -> bool:
    if isinstance(operation, AlterColumnOp):
        replaced = operation.modify_server_default is not False and operation.existing_server_default not in (
            None,
            False,
        )
        return operation.modify_type is None and not replaced
    return isinstance(operation, AddColumnOp) or creates(operation)


def _only_eases(operation: MigrateOperation) -> bool:
    """Nothing, or a rule that the database has and the models have not: NOT NULL, or a default."""
    return (
        isinstance(operation, AlterColumnOp)
        and operation.modify_type is None
        and operation.modify_nullable is not False
        and operation.modify_server_default in (False, None)
    )
