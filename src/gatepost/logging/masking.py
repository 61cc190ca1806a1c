"""What of an application's personal data a process must not write down, and where the log asks for it.

Off the request path. The application is known before its fields are: everything is asked for when a line is made.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from gatepost.events import RequestFinished
from gatepost.logging.text import MASK, safe_value, texts_in, without_values


class PersonalFields(Protocol):
    """Which fields of an application are personal: their names, the routes whose paths hold a value of one, and whether
    the id of a user is one."""

    @property
    def names(self) -> frozenset[str]: ...
    @property
    def patterns(self) -> frozenset[str]: ...
    @property
    def names_actors(self) -> bool: ...


MaskRequest = Callable[[RequestFinished], RequestFinished]

OWN_LOGGER = "gatepost"
_STABLE = frozenset({"time", "level", "category", "source", "request_id", "logger", "sqlstate", "table", "constraint"})
"""Fields whose values are never a client's."""


class Masking(NamedTuple):
    """`find_fields` gives the personal fields, None where none are known; `find_forms` the texts that the running task
    must not show, in lower case, the longest first: values of such fields, in each form that a text may have."""

    find_fields: Callable[[], PersonalFields | None] = lambda: None
    find_forms: Callable[[], Sequence[str]] = lambda: ()

    def fields(self, event: dict[str, Any]) -> dict[str, Any]:
        """The fields of a line as they may be written. The line's own words keep their names: those of Gatepost's
        events are not those of an application's fields."""
        fields = self.find_fields()
        names: frozenset[str] = frozenset() if fields is None else fields.names
        is_own = event.get("logger") == OWN_LOGGER
        shown = {key: self._by_name(key, value, names, is_own=is_own) for key, value in event.items()}
        if not (forms := self.find_forms()):
            return shown
        kept = _STABLE | {"event"} if is_own else _STABLE
        asked = {key: value for key, value in shown.items() if not (key in kept or key.startswith("_"))}
        whole = "\n".join(texts_in(asked)).lower()  # most lines have none of the values
        found = [form for form in forms if form in whole]
        return {**shown, **without_values(asked, found)} if found else shown

    def text(self, text: str) -> str:
        """A text as it may be written."""
        return str(without_values(text, self.find_forms()))

    def _by_name(self, key: str, value: Any, names: frozenset[str], *, is_own: bool) -> Any:
        if key.startswith("_") or key == "exception":
            return value
        if key in names and not is_own and key not in _STABLE and value is not None:
            return MASK
        return safe_value(key, value, names=names)

    def of_requests(self) -> MaskRequest | None:
        """What makes of a request what its access line may show: where the path holds a value, the pattern of its route
        instead. None where there is nothing to mask."""
        fields = self.find_fields()
        if fields is None or not (fields.patterns or fields.names_actors):
            return None
        patterns, names_actors = fields.patterns, fields.names_actors

        def masked(event: RequestFinished) -> RequestFinished:
            if event.route in patterns:
                event = msgspec.structs.replace(event, path=event.route)
            if names_actors and event.actor_id is not None:
                event = msgspec.structs.replace(event, actor_id=MASK)
            return event

        return masked


NO_MASKING = Masking()
