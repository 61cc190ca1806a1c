"""What `gatepost explain` finds out, as data: printed as it is with `--json`, in lines by `explain.py` otherwise."""

import msgspec

from gatepost.database.statement_recording import RecordedStatement
from gatepost.errors import FieldError, Problem


class Refusal(msgspec.Struct, frozen=True):
    """That the request would be refused, and at which step."""

    step: str
    status: int
    code: str
    detail: str
    errors: tuple[FieldError, ...]

    @classmethod
    def of(cls, step: str, problem: Problem) -> "Refusal":
        """What a problem that is raised at a step means for the request."""
        return cls(step, problem.status, problem.code, problem.detail, problem.errors)


class BoundValue(msgspec.Struct, frozen=True):
    """A value that is bound to a parameter of a statement."""

    parameter: str
    name: str
    value: str


class ExplainedStatement(msgspec.Struct):
    """A statement. `reads` are the tables that its result depends on, None where it may depend on something else;
    `writes` is the table that it changes. `plan` says how PostgreSQL would read each table; where it would read one
    whole, `other_plan` says what it does if it is kept from that."""

    name: str
    sql: str
    values: list[BoundValue]
    reads: list[str] | None
    writes: str | None
    is_in_transaction: bool
    plan: list[str] = []
    other_plan: list[str] = []

    @classmethod
    def of(cls, recorded: RecordedStatement) -> "ExplainedStatement":
        """A statement with the values that would be bound."""
        statement = recorded.statement
        values = [
            BoundValue(f"${number}", statement.name_of(number) or "", repr(value))
            for number, value in enumerate(recorded.arguments, 1)
        ]
        return cls(
            statement.name,
            statement.sql,
            values,
            None if statement.tables is None else sorted(statement.tables),
            None if statement.written is None else str(statement.written.fullname),
            recorded.is_in_transaction,
        )


class BoundParameter(msgspec.Struct, frozen=True):
    """Where a parameter of an own endpoint comes from; its value where the request gives it one."""

    name: str
    source: str


class Explanation(msgspec.Struct):
    """The walk of one request. What is not known is None, and `unknown` says why, or what follows."""

    request: str
    actor: str
    limits: str | None = None
    body_bytes_max: int | None = None
    operation: str | None = None
    path: str | None = None
    allow: str | None = None
    handler: str | None = None
    parameters: list[BoundParameter] = []
    body: str | None = None
    transaction: str | None = None
    statements: list[ExplainedStatement] = []
    unknown: list[str] = []
    caching: str | None = None
    refusal: Refusal | None = None
