"""`MetStatements`: tells of each statement that this process runs, once, with its text: what an operation asks of the
database. Beside the request path: where a statement is prepared on a connection, and where a session sends one."""

from collections import Counter

from gatepost.database.masked_sql import without_literals
from gatepost.events import Events, StatementMet

TEXTS_MAX = 8
"""So many texts of one name are told: clients choose what they sort and filter by, and each choice is another one."""

KNOWN_MAX = 2000
"""So many texts are known apart; later ones are not told."""


class MetStatements:
    """Those of one process. Without a subscriber it does nothing."""

    def __init__(self, events: Events) -> None:
        self._emit = events.emitter(StatementMet)
        self._known: set[tuple[str, str]] = set()
        self._told = Counter[str]()

    def note(self, name: str, sql: str, *, may_hold_values: bool = False) -> None:
        """A statement of this name is about to run, or has run. One without a name is called by its text: it is no
        operation's. What Gatepost compiles binds its values; where a text may hold some, they are masked."""
        if self._emit is None or (name, sql) in self._known or len(self._known) >= KNOWN_MAX or " " in name:
            return
        self._known.add((name, sql))
        if self._told[name] < TEXTS_MAX:
            self._told[name] += 1
            self._emit(StatementMet(name, without_literals(sql) if may_hold_values else sql))
