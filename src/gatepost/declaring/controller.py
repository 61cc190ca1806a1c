"""Controllers that a user writes: own endpoints behind the same gate, limits, validation, policies and transactions.

The decorators only note what is declared; `controllers` binds the signatures when the app is composed.
"""

import inspect
import re
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from types import FrameType
from typing import Any, Generic, ParamSpec, Protocol, cast, get_args, get_origin, overload

from sqlalchemy import Select
from typing_extensions import TypeVar

from gatepost.declaring.actor_kinds import actors_of_every_kind
from gatepost.declaring.arguments import Arguments, Declared, declared
from gatepost.declaring.cors import CORS
from gatepost.declaring.dto import DTO, Created
from gatepost.declaring.policies import Policy, role_names
from gatepost.declaring.rate_limits import Limits, limits_by_action
from gatepost.declaring.streams import ServerSentEvent, Stream
from gatepost.errors import ConfigurationError, Problem
from gatepost.loggers import LayerLogger
from gatepost.own_metrics import Metrics
from gatepost.response_fields import FIELD_VALUE
from gatepost.sources import caller_location

M = TypeVar("M")
MO = TypeVar("MO", default=Any)
T = TypeVar("T")
P = ParamSpec("P")
F = TypeVar("F", bound=Callable[..., Coroutine[Any, Any, Any]])

ROUTES = "__gatepost_routes__"
"""Attribute of a method that is an endpoint: its routes, outermost decorator first."""

DECLARED = "__gatepost_declared__"
"""Attribute of a class: the routes that its body declares, whatever became of their functions."""

Method = Callable[P, Coroutine[Any, Any, T]]


class Controller(Generic[MO]):
    """Endpoints that are written: methods with `@get`, `@post`, `@put`, `@patch` and `@delete`.

    `path` is where they are below the prefix of the app; those of a `Controller[Book]`, which a resource names, are
    below its path. Annotated attributes are injected as parameters are. One object serves one call.
    `self.log` writes to the log, and `self.metrics` counts, as a service's do.
    """

    path: str = ""
    log = LayerLogger("controllers")
    metrics = Metrics()


class Route(Declared):
    """What a decorator declares of an endpoint."""

    @declared
    def __init__(  # noqa: PLR0913 - a declaration
        self,
        method: str,
        path: str,
        *,
        allow: Policy,
        answers: type[DTO[Any]] | None = None,
        name: str | None = None,
        status: int | None = None,
        rate_limit: Limits | None = None,
        raises: Sequence[Problem] = (),
        paging: bool = True,
        filters: bool = False,
        body_bytes_max: int | None = None,
        json_depth_max: int | None = None,
        json_items_max: int | None = None,
        headers: Mapping[str, str | None] | None = None,
        cors: CORS | None = None,
        cache_control: str | None = None,
        auth: bool = False,
        probe: bool = False,
        tags: Sequence[str] = (),
        deprecated: bool = False,
        operation_id: str | None = None,
        document: bool = True,
    ) -> None:
        location = f"@{method.lower()}({path!r}"
        arguments = Arguments(self, location)
        self.method = method
        self.path = arguments.of_kind("path", path, str, 'a text such as "/bestsellers"', "")
        self.allow = arguments.policy("allow", allow)
        arguments.check(_check_allow, self.allow, location)
        arguments.check(_check_answers, answers, location)
        self.answers = answers if _is_dto(answers) else None
        self.name = arguments.of_kind("name", name, str | None, 'a text such as "tags"', None)
        arguments.check(_check_name, self.name, location)
        self.status = arguments.of_kind("status", status, int | None, "a status such as 202", None)
        arguments.check(_check_status, self.status, location)
        self.rate_limits = self.mistakes.attempt(
            lambda: limits_by_action(rate_limit, (), location=f"{location}, rate_limit=...)").get(None, ()),
            (),
            self.source,
        )
        listed = arguments.of_kind("raises", raises, Sequence, "a list of problems", ())
        self.raises = tuple(each for each in listed if isinstance(cast("object", each), Problem))
        arguments.check(_check_raises, listed, location)
        self.paging = arguments.of_kind("paging", paging, bool, "True or False", True)
        self.filters = arguments.of_kind("filters", filters, bool, "True or False", False)
        self.body_bytes_max = arguments.bound("body_bytes_max", body_bytes_max)
        self.json_depth_max = arguments.bound("json_depth_max", json_depth_max)
        self.json_items_max = arguments.bound("json_items_max", json_items_max)
        self.headers = arguments.headers(headers)
        self.cors = arguments.of_kind("cors", cors, CORS | None, 'CORS("https://shop.example")', None)
        self.cache_control = arguments.of_kind("cache_control", cache_control, str | None, '"no-store"', None)
        arguments.check(_check_caching, self.cache_control, method, location)
        self.auth = arguments.of_kind("auth", auth, bool, "True or False", False)
        self.probe = arguments.of_kind("probe", probe, bool, "True or False", False)
        self.tags = arguments.of_kind("tags", tags, list | tuple, 'a list such as ["reports"]', ())
        arguments.check(_check_tags, self.tags, location)
        self.deprecated = arguments.of_kind("deprecated", deprecated, bool, "True or False", False)
        self.operation_id = arguments.of_kind("operation_id", operation_id, str | None, '"books.restock"', None)
        arguments.check(_check_operation_id, self.operation_id, location)
        self.document = arguments.of_kind("document", document, bool, "True or False", True)
        if self.auth and self.probe:
            wrong = ConfigurationError(
                "is both auth and probe.", location=location, hint="A probe has no limit: keep one."
            )
            self.mistakes.add(wrong, self.source)


def _check_allow(allow: Policy, location: str) -> None:
    if not all(isinstance(allow.decide(actor), bool) for actor in actors_of_every_kind(role_names(allow))):
        raise ConfigurationError(
            "depends on a row, and is asked before any row is read.",
            location=f"{location}, allow=...)",
            hint="Write who may call: anyone, authenticated, role(...). Rows follow the policies of their resource.",
        )


def _is_dto(given: Any) -> bool:
    return isinstance(given, type) and issubclass(given, DTO)


def _check_answers(answers: Any, location: str) -> None:
    if answers is not None and not _is_dto(answers):
        raise ConfigurationError(
            "is not a DTO.",
            location=f"{location}, answers={getattr(answers, '__name__', '...')})",
            hint="Write a class of your own: class Card(DTO[...]), with the model. Other answers need no answers=.",
        )


def _check_name(name: str | None, location: str) -> None:
    if name is not None and not name.isidentifier():
        raise ConfigurationError(
            f"is {name!r}, which is not a name.",
            location=f"{location}, name=...)",
            hint="It is a key of the JSON that is sent: write letters, digits and underscores.",
        )


def _check_status(status: int | None, location: str) -> None:
    if status is not None and not 200 <= status <= 299:
        raise ConfigurationError(
            f"is {status}.",
            location=f"{location}, status=...)",
            hint="Write that of a success, 200 to 299. Raise a Problem to refuse; return a Response for others.",
        )


def _check_raises(raises: Sequence[object], location: str) -> None:
    for each in raises:
        if not isinstance(each, Problem):
            name = getattr(each, "__name__", repr(each))
            raise ConfigurationError(
                f"has {name}, which is not a problem.",
                location=f"{location}, raises=...)",
                hint='Write it as it is raised: raises=[Conflict("out_of_stock", "Too few copies are left.")].',
            )


def _check_tags(tags: Sequence[object], location: str) -> None:
    for tag in tags:
        if not isinstance(tag, str) or not tag:
            raise ConfigurationError(
                f"has {tag!r}, which is not a tag.", location=f"{location}, tags=...)", hint='Write tags=["reports"].'
            )


def _check_operation_id(operation_id: str | None, location: str) -> None:
    if operation_id is not None and _OPERATION_ID.fullmatch(operation_id) is None:
        raise ConfigurationError(
            f"is {operation_id!r}, which generators of clients cannot make a name of.",
            location=f"{location}, operation_id=...)",
            hint="Write letters, digits, dots, hyphens and underscores.",
        )


_OPERATION_ID = re.compile(r"[A-Za-z][\w.-]*", re.ASCII)


def _check_caching(cache_control: str | None, method: str, location: str) -> None:
    if cache_control is None:
        return
    if method != "GET":
        raise ConfigurationError(
            "is that of a read.", location=f"{location}, cache_control=...)", hint="Leave it out: nothing stores this."
        )
    if FIELD_VALUE.fullmatch(cache_control) is None:
        raise ConfigurationError(
            f"is {cache_control!r}.",
            location=f"{location}, cache_control=...)",
            hint='Write visible ASCII without line breaks: "public, max-age=60".',
        )


class _Plain(Protocol):
    """Decorates an endpoint that returns what its signature says."""

    def __call__(self, function: F, /) -> F: ...


class _Of(Protocol[M]):
    """Decorates an endpoint that returns rows of a model."""

    @overload
    def __call__(self, function: Method[P, M], /) -> Method[P, M]: ...
    @overload
    def __call__(self, function: Method[P, Select[M]], /) -> Method[P, Select[M]]: ...
    @overload
    def __call__(self, function: Method[P, Created[M]], /) -> Method[P, Created[M]]: ...
    @overload
    def __call__(self, function: Method[P, Sequence[M]], /) -> Method[P, Sequence[M]]: ...
    @overload
    def __call__(self, function: Method[P, M | None], /) -> Method[P, M | None]: ...
    @overload
    def __call__(self, function: Method[P, Stream[M]], /) -> Method[P, Stream[M]]: ...
    @overload
    def __call__(self, function: Method[P, Stream[ServerSentEvent[M]]], /) -> Method[P, Stream[ServerSentEvent[M]]]: ...


class RouteDecorator:
    """The decorator of one HTTP method: `@get("/bestsellers", allow=anyone, answers=BookCard)`.

    `allow` is who may call, before anything is read. `answers` is the DTO that rows are shown as, in place of the
    resource's own. `name` is the key of the envelope where a dialect has one. `raises` are the problems that the
    endpoint raises itself, for its description. A list is paged unless `paging=False`; with `filters=True` clients may
    filter and sort it as the derived one. With `auth=True` it shares the strict limit for signing in; with `probe=True`
    it has no limit, is served for every host and has access lines at level debug while it succeeds. In the OpenAPI
    document it stands under `tags` in place of its resource's or controller's, by `operation_id` in place of
    `books.restock`, and not at all with `document=False`.
    """

    def __init__(self, method: str) -> None:
        self._method = method

    @overload
    def __call__(
        self,
        path: str,
        *,
        allow: Policy,
        answers: type[DTO[M]],
        name: str | None = None,
        status: int | None = None,
        rate_limit: Limits | None = None,
        raises: Sequence[Problem] = (),
        paging: bool = True,
        filters: bool = False,
        body_bytes_max: int | None = None,
        json_depth_max: int | None = None,
        json_items_max: int | None = None,
        headers: Mapping[str, str | None] | None = None,
        cors: CORS | None = None,
        cache_control: str | None = None,
        auth: bool = False,
        probe: bool = False,
        tags: Sequence[str] = (),
        deprecated: bool = False,
        operation_id: str | None = None,
        document: bool = True,
    ) -> _Of[M]: ...
    @overload
    def __call__(
        self,
        path: str,
        *,
        allow: Policy,
        name: str | None = None,
        status: int | None = None,
        rate_limit: Limits | None = None,
        raises: Sequence[Problem] = (),
        paging: bool = True,
        filters: bool = False,
        body_bytes_max: int | None = None,
        json_depth_max: int | None = None,
        json_items_max: int | None = None,
        headers: Mapping[str, str | None] | None = None,
        cors: CORS | None = None,
        cache_control: str | None = None,
        auth: bool = False,
        probe: bool = False,
        tags: Sequence[str] = (),
        deprecated: bool = False,
        operation_id: str | None = None,
        document: bool = True,
    ) -> _Plain: ...
    def __call__(self, path: str, **declared: Any) -> Any:
        if "allow" not in declared:
            raise ConfigurationError(
                "does not say who may call.",
                location=f"@{self._method.lower()}",
                source=caller_location(),
                hint=f'Write @{self._method.lower()}("{path if isinstance(path, str) else "/path"}", allow=anyone), or '  # pyright: ignore[reportUnnecessaryIsInstance]
                "another policy.",
            )
        route = Route(self._method, path, **declared)

        def decorate(function: F) -> F:
            _note(route)
            with route.mistakes.check(route.source):
                _check_function(function, f"@{self._method.lower()}({path!r})")
            if not _is_function(function):
                route.mistakes.raise_any()  # nothing leads from it to the route
            function.__dict__.setdefault(ROUTES, []).append(route)
            return function

        return decorate


def _note(route: Route) -> None:
    """Note a route in the namespace of the class whose body declares it, where there is one: a route whose function
    does not end in the class can then be found."""
    frame: FrameType | None = sys._getframe(2)  # pyright: ignore[reportPrivateUsage]
    while frame is not None and frame.f_code.co_name != "<module>":
        if "__qualname__" in frame.f_locals and "__module__" in frame.f_locals:
            frame.f_locals.setdefault(DECLARED, []).append(route)
            return
        frame = frame.f_back


def _is_function(found: object) -> bool:
    return inspect.isfunction(found)


def _check_function(function: object, location: str) -> None:
    if not _is_function(function):
        raise ConfigurationError(
            f"stands above {type(function).__name__}, which is not a function.",
            location=location,
            hint="Write it above `async def name(self, ...)`, without @staticmethod, @classmethod or @property.",
        )


get = RouteDecorator("GET")
"""A read: it runs READ ONLY, and the same again has the same effect."""

post = RouteDecorator("POST")
"""Anything that changes something."""

put = RouteDecorator("PUT")
"""A change that is the same however often it is sent."""

patch = RouteDecorator("PATCH")
"""A change of a part."""

delete = RouteDecorator("DELETE")
"""A removal."""


def checked_controller(given: Any, location: str) -> type[Controller[Any]]:
    """A controller's class, as it is given. Raises `ConfigurationError` for anything else."""
    if isinstance(given, type) and issubclass(given, Controller):
        controller: type[Controller[Any]] = cast("Any", given)
        return controller
    name = getattr(cast("Any", given), "__name__", f"an object of {type(cast('Any', given)).__name__}")
    raise ConfigurationError(
        f"{name} is not a controller.",
        location=location,
        hint="Give it the class: class Reports(Controller), and controllers=[Reports].",
    )


def checked_controllers(given: Any, location: str) -> Sequence[Any]:
    """The controllers that an app or a group has in a list. Raises `ConfigurationError` for anything else."""
    if isinstance(given, list | tuple):
        return cast("Sequence[Any]", given)
    name = getattr(given, "__name__", repr(given))
    raise ConfigurationError(
        f"controllers={name} is not a list of controllers.", location=location, hint=f"Write controllers=[{name}]."
    )


def check_standalone(controller: type[Controller[Any]]) -> None:
    """Raise `ConfigurationError` for a controller of a model that no resource names: its paths would be elsewhere."""
    for base in getattr(controller, "__orig_bases__", ()):
        model = next(iter(get_args(base)), None)
        if get_origin(base) is Controller and isinstance(model, type) and not controller.path:
            raise ConfigurationError(
                f"is a controller of {model.__name__}, and no resource names it.",
                location=controller.__name__,
                hint=f"Write Resource({model.__name__}, controller={controller.__name__}), or give it a path.",
            )


def routes_of(function: object) -> Sequence[Route]:
    """The routes that decorators noted on a method of a controller."""
    found: Sequence[Route] = getattr(function, ROUTES, ())
    return found
