"""`Objective`: which share of which requests has to succeed, and how fast. What falls short of it becomes an alert.

Read when the app is built; judged outside of the request path, by the monitor.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, cast

from gatepost.declaring.arguments import Declared, declared
from gatepost.declaring.resource import Resource
from gatepost.errors import ConfigurationError
from gatepost.hints import did_you_mean
from gatepost.mistakes import Mistakes

OBJECTIVES_MAX = 30
FASTER_THAN_SECONDS_MIN = 0.00001
FASTER_THAN_SECONDS_MAX = 100.0
"""The bounds of the histograms in which durations are counted."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")

OperationKind = Literal["reads", "writes", "endpoints"]


class MeasuredOperation(NamedTuple):
    """An operation as objectives choose it: `owners` are the names and classes of its resource and controller."""

    name: str
    kind: OperationKind
    owners: frozenset[Any]


class MeasuredObjective(NamedTuple):
    """An objective with the names of its operations. `faster_than` is in seconds; None where only failures count."""

    name: str
    share: float
    operations: tuple[str, ...]
    faster_than: float | None


class Objective(Declared):
    """At least `share` of the requests to these operations succeed: `Objective("reads", share=0.999, of=["books.list"],
    faster_than=seconds(0.2))`.

    A request is bad if its status is 5xx, or if it takes longer than `faster_than` (seconds, rounded up to the next
    bound of the histograms, at most 8.7 % above; without it only failures count). `of` lists operations
    (`"books.list"`), paths of resources (`"books"`), models, and classes of controllers. A name is up to 40 lower-case
    letters, digits, `_` and `-`.
    """

    @declared
    def __init__(
        self,
        name: str,
        *,
        share: float,
        of: Sequence[str | type[Any] | Resource[Any]],
        faster_than: float | None = None,
    ) -> None:
        self.name = name
        self.share = share
        self.of: tuple[Any, ...] = ()
        self.faster_than = faster_than
        self.location = f"Objective({name!r})"
        given: Any = of
        if not isinstance(cast("Any", name), str) or not _NAME.fullmatch(name):
            self._refuse(
                "is not a name of an objective.",
                "Use up to 40 lower-case letters, digits, _ and -, beginning with a letter.",
            )
        if not _is_number(share) or not 0 < share < 1:
            self._refuse(f"share={share!r} is not between 0 and 1.", "Write 0.999 for one bad request in a thousand.")
        if isinstance(given, str | type) or not _is_list(given):
            self._refuse(f"of={given!r} names nothing.", 'Write a list: of=["books.list"], or of=[Book].')
        else:
            self.of = tuple(of)
        if faster_than is not None and (
            not _is_number(faster_than) or not FASTER_THAN_SECONDS_MIN <= faster_than <= FASTER_THAN_SECONDS_MAX
        ):
            self._refuse(
                f"faster_than={faster_than!r} cannot be measured.",
                f"Write from {FASTER_THAN_SECONDS_MIN:.5f} to {FASTER_THAN_SECONDS_MAX:g} s: faster_than=seconds(0.2).",
            )

    def measured(self, operations: Sequence[MeasuredOperation] | None, mistakes: Mistakes) -> MeasuredObjective:
        """With the operations that it is about; what it names in vain becomes a mistake. None are known where the
        declaration has other mistakes."""
        found: dict[str, None] = {}
        if operations is None:
            return MeasuredObjective(self.name, self.share, (), self.faster_than)
        for each in self.of:
            names = _named(each, operations)
            if not names:
                mistakes.add(self._unknown(each, operations), self.source)
            found |= dict.fromkeys(names)
        return MeasuredObjective(self.name, self.share, tuple(found), self.faster_than)

    def _unknown(self, given: Any, operations: Sequence[MeasuredOperation]) -> ConfigurationError:
        if isinstance(given, str):
            known = {name for each in operations for name in (each.name, *each.owners) if isinstance(name, str)}
            hint = did_you_mean(given, known).strip() or "`gatepost routes` lists the operations."
            problem = f"{given!r} is not an operation or a resource."
        else:
            hint = "Name operations, resources, models, or controllers of the app."
            problem = f"the app serves nothing of {getattr(given, '__name__', repr(given))}."
        return ConfigurationError(problem, location=f"{self.location[:-1]}, of=...)", hint=hint)

    def _refuse(self, problem: str, hint: str) -> None:
        self.mistakes.add(ConfigurationError(problem, location=self.location, hint=hint), self.source)


def _is_list(value: object) -> bool:
    return issubclass(type(value), Sequence) and bool(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _named(given: Any, operations: Iterable[MeasuredOperation]) -> list[str]:
    wanted: Any = given
    if isinstance(wanted, Resource):
        wanted = cast("Any", wanted).model
    try:
        return [each.name for each in operations if wanted == each.name or wanted in each.owners]
    except TypeError:  # it cannot be hashed, so it is neither a name nor a class
        return []


def measured_objectives(
    given: Sequence[Objective] | None, operations: Sequence[MeasuredOperation] | None, mistakes: Mistakes, source: str
) -> tuple[MeasuredObjective, ...]:
    """Those that an app declares, or the default ones where it declares none (None; an empty list is no objective).

    Without `operations`, because the declaration has other mistakes, what objectives are of is not looked at.
    """
    if given is None:
        return tuple(default_objectives(operations or ()))
    found: dict[str, MeasuredObjective] = {}
    for each in cast("Sequence[Any]", given):
        if not isinstance(each, Objective):
            hint = 'Write Objective("reads", share=0.999, of=["books"]).'
            mistakes.add(ConfigurationError(f"{each!r} is not an Objective.", location="App", hint=hint), source)
            continue
        for mistake in each.mistakes:
            mistakes.add(mistake)
        if each.name in found:
            error = ConfigurationError("is declared twice.", location=each.location, hint="Choose another name.")
            mistakes.add(error, each.source)
        found[each.name] = each.measured(operations, mistakes)
    if len(found) > OBJECTIVES_MAX:
        error = ConfigurationError(
            f"{len(found)} objectives are too many.",
            location="App",
            hint=f"Declare up to {OBJECTIVES_MAX}: an objective can be of several operations.",
        )
        mistakes.add(error, source)
    return tuple(found.values())


def default_objectives(operations: Sequence[MeasuredOperation]) -> Iterator[MeasuredObjective]:
    """99.9 % of the derived reads take up to 0.5 s, of the derived writes up to 1 s, and 99.9 % of the app's own
    endpoints do not fail; how long these may take, only the app knows."""
    defaults: tuple[tuple[OperationKind, float | None], ...] = (("reads", 0.5), ("writes", 1.0), ("endpoints", None))
    for kind, faster_than in defaults:
        names = tuple(each.name for each in operations if each.kind == kind)
        if names:
            yield MeasuredObjective(kind, 0.999, names, faster_than)
