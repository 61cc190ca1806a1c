"""`Group`: resources and controllers below a prefix of their own, beside those of the app, such as another version of
the API."""

from collections.abc import Sequence
from copy import copy
from typing import Any

from gatepost.declaring.arguments import Declared, declared
from gatepost.declaring.controller import Controller
from gatepost.declaring.dialect import Dialect, checked_dialect
from gatepost.declaring.resource import PATH, Resource
from gatepost.errors import ConfigurationError


class Group(Declared):
    """Resources that are served below a prefix of their own: `Group("/v2", Resource(Book, ...))` serves
    `/api/v2/books` with the operations `v2.books.list`.

    A model has at most one resource per group. Wherever the group leads to rows of a model (references, filters over
    relations, expansions, DTOs, services) its resource of that model holds, else the app's. What the group does not
    declare is not served below its prefix. `controllers` have endpoints of their own. Without a `dialect` the group
    speaks the app's.

    Nothing is open in a group that is not opened there, and what restricts the app's resource of a model restricts that
    of the group as well, unless it says otherwise: the rules of `fields=`, each by itself, `where=`, `service=`, and
    `rate_limit=`, whose buckets both share.
    """

    @declared
    def __init__(
        self,
        prefix: str,
        *resources: Resource[Any],
        controllers: Sequence[type[Controller[Any]]] = (),
        dialect: Dialect | None = None,
    ) -> None:
        self.prefix = self.mistakes.attempt(lambda: _checked_prefix(prefix), "", self.source)
        self.location = f"Group({self.prefix!r})"
        self.dialect = self.mistakes.attempt(lambda: self._checked_dialect(dialect), None, self.source)
        self.resources: list[Resource[Any]] = []
        for each in resources:
            with self.mistakes.check(self.source):
                self.resources.append(self._checked_resource(each))
        self.controllers = controllers
        if not (resources or controllers):
            hint = f"Give it a resource: Group({self.prefix!r}, Resource(Model, read=...))."
            self.mistakes.add(ConfigurationError("serves nothing.", location=self.location, hint=hint), self.source)

    @property
    def name(self) -> str:
        """What the names of its operations begin with: `v2`."""
        return self.prefix.strip("/").replace("/", ".")

    def _checked_dialect(self, dialect: Dialect | None) -> Dialect | None:
        checked = None if dialect is None else checked_dialect(dialect, self.location)
        for mistake in () if checked is None else checked.mistakes:
            self.mistakes.add(mistake)
        return checked

    def _checked_resource(self, given: Any) -> Resource[Any]:
        if isinstance(given, Resource):
            return given  # pyright: ignore[reportUnknownVariableType]
        if isinstance(given, Group):
            raise ConfigurationError(
                f"holds {given.location}, and groups hold no groups.",
                location=self.location,
                hint=f'Write it beside this one: App(..., Group("{self.prefix}{given.prefix}", ...)).',
            )
        name = getattr(given, "__name__", repr(given))
        raise ConfigurationError(
            f"{name} is not a Resource.", location=self.location, hint="Write Resource(Model, read=...)."
        )


def restricted(resource: Resource[Any], of_app: Resource[Any]) -> Resource[Any]:
    """A resource of a group, with what the app's resource of the model restricts and this one says nothing of."""
    found = copy(resource)
    found.fields = {**of_app.fields, **resource.fields}
    found.where = of_app.where if resource.where is None else resource.where
    found.service = of_app.service if resource.service is None else resource.service
    return found


def _checked_prefix(prefix: Any) -> str:
    if isinstance(prefix, str) and prefix.startswith("/") and PATH.fullmatch(prefix[1:]):
        return prefix
    raise ConfigurationError(
        f"the prefix {prefix!r} is not a path.",
        location=f"Group({prefix!r})",
        hint='Begin with a slash, end without: Group("/v2", ...); letters, digits, "-", "_", "." and "~" between.',
    )
