"""Whose row was refused: dialects that name what a refusal is about are told by the part that knows it."""

from gatepost.errors import Problem


class RefusalsAbout:
    """Names the row in refusals of one class that are raised inside of `with`. Made at start, used by many at once.

    `name` is what dialects call the row, None where they have no name for it.
    """

    __slots__ = ("_kind", "_name")

    def __init__(self, name: str | None, kind: type[Problem]) -> None:
        self._name = name
        self._kind = kind

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, self._kind):
            error.about = self._name
