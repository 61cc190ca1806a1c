"""The compiler of what services send: it notes, once per statement, whether that may leave something on the connection.

SQLAlchemy keeps what it compiled, so a statement that is run again costs one look at an attribute.
"""

from typing import Any, NoReturn, cast

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.asyncpg import PGCompiler_asyncpg
from sqlalchemy.engine.interfaces import ExecuteStyle
from sqlalchemy.exc import CompileError
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import ExpressionClauseList

from gatepost.database.session_altering_sql import may_alter_session

_COMPARISONS = (
    operators.eq,
    operators.ne,
    operators.lt,
    operators.le,
    operators.gt,
    operators.ge,
    operators.is_distinct_from,
    operators.is_not_distinct_from,
    operators.in_op,
    operators.not_in_op,
    operators.between_op,
    operators.not_between_op,
)


class TextNotingCompiler(PGCompiler_asyncpg):
    """Compiles as ever, but compares numbers whatever their size: a value that no column of its type holds equals
    none, where the driver would refuse it. `has_text` says that a part was written as text, which may read any table
    and call anything."""

    has_text = False

    def visit_binary(self, binary: Any, *arguments: Any, **options: Any) -> str:
        """An operation on two operands."""
        if binary.operator in _COMPARISONS:
            binary = _widened(binary)
        return cast("str", cast("Any", super()).visit_binary(binary, *arguments, **options))

    def visit_textclause(self, *arguments: Any, **options: Any) -> str:
        """A part that was given as `text()`."""
        self.has_text = True
        return cast("str", cast("Any", super()).visit_textclause(*arguments, **options))


class SessionCompiler(TextNotingCompiler):
    """Compiles as ever. `sequences` says how many keys are drawn from one that the model declares, `alters_session` is
    what came of it all."""

    sequences = 0
    alters_session: bool | None = None

    def visit_sequence(self, *arguments: Any, **options: Any) -> str:
        """The next value of a `Sequence`, with which the ORM makes a key."""
        self.sequences += 1
        return cast("str", cast("Any", super()).visit_sequence(*arguments, **options))

    def visit_readable(self, part: Any, **_: Any) -> NoReturn:
        """A `readable(...)`, refused: the statement is not one of those in which it was replaced."""
        raise CompileError(
            f"readable({part.model.__name__}) is in a statement of a session, which knows no actor. Begin the "
            "statement with self.select(actor) of a service or tx.select(Model), or write the condition."
        )

    def weigh(self) -> bool:
        """Whether this may leave something on the connection; `nextval` by hand leaves a `currval` for others."""
        by_hand = self.string.lower().count("nextval") > self.sequences
        return self.has_text or by_hand or may_alter_session(self.string)


def _widened(binary: Any) -> Any:
    """The comparison with its numbers as values of the widest type of their kind. The indexes of PostgreSQL compare
    across these types."""
    left, right = _wide(binary.left), _wide(binary.right)
    if left is binary.left and right is binary.right:
        return binary
    made = binary._clone()
    made.left, made.right = left, right
    return made


def _wide(operand: Any) -> Any:
    if isinstance(operand, ExpressionClauseList):  # the bounds of BETWEEN
        given: Any = cast("Any", operand)
        bounds = [_wide(each) for each in given.clauses]
        if all(made is each for made, each in zip(bounds, given.clauses, strict=True)):
            return given
        made = given._clone()
        made.clauses = bounds
        return made
    kind = _widest(cast("Any", operand).type) if isinstance(operand, sa.BindParameter) else None
    return cast("Any", operand) if kind is None else retyped(operand, kind)


def retyped(bind: Any, kind: Any) -> Any:
    """A copy of a bind with another type. Its value is found by its key, as that of the original."""
    made = bind._clone(maintain_key=True)
    made.type = kind
    return made


def _widest(kind: Any) -> sa.types.TypeEngine[Any] | None:
    """The widest type of numbers of this kind; None where there is none, or it is this one."""
    if isinstance(kind, sa.Integer):
        return None if isinstance(kind, sa.BigInteger) else sa.BigInteger()
    return sa.Double() if isinstance(kind, sa.REAL) else None


def leaves_nothing(statement: str, context: Any) -> bool:
    """Whether a statement that is about to be executed leaves nothing on its connection, for certain."""
    compiled = context.compiled
    if not isinstance(compiled, SessionCompiler):  # SQL of the driver's, or a change of the schema
        return False
    if compiled.alters_session is None:
        compiled.alters_session = compiled.weigh()
    if compiled.alters_session:
        return False
    # A default that is computed before the statement, or that a hook has changed, is separate text. While defaults are
    # computed the context has no statement yet.
    is_own = statement is getattr(context, "statement", None) or context.execute_style is ExecuteStyle.INSERTMANYVALUES
    return is_own or not may_alter_session(statement)
