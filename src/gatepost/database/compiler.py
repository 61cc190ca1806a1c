"""The compiler of what services send: it notes, once per statement, whether that may leave something on the connection.

SQLAlchemy keeps what it compiled, so a statement that is run again costs one look at an attribute.
"""

from typing import Any, cast

from sqlalchemy.dialects.postgresql.asyncpg import PGCompiler_asyncpg
from sqlalchemy.engine.interfaces import ExecuteStyle

from gatepost.database.session_altering_sql import may_alter_session


class TextNotingCompiler(PGCompiler_asyncpg):
    """Compiles as ever. `has_text` says that a part was written as text, which may read any table and call anything."""

    has_text = False

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

    def weigh(self) -> bool:
        """Whether this may leave something on the connection; `nextval` by hand leaves a `currval` for others."""
        by_hand = self.string.lower().count("nextval") > self.sequences
        return self.has_text or by_hand or may_alter_session(self.string)


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
