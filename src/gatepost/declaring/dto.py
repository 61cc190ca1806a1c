"""Data transfer objects: what goes out of the API and what comes in, as classes that a user writes.

A DTO only declares: `models` reads it against the model when the app is built, and compiles it into the statements of
reads; `dtos` compiles it into a decoder where it is a body.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, NoReturn, TypeVar, cast, get_args, get_origin

from sqlalchemy import ColumnElement
from sqlalchemy.orm import QueryableAttribute

from gatepost.declaring.policies import Policy, anyone
from gatepost.errors import ConfigurationError
from gatepost.mistakes import Mistakes
from gatepost.sources import caller_location

M = TypeVar("M")
T = TypeVar("T")


@dataclass(frozen=True, eq=False, slots=True)
class Computed:
    """A member that is an SQL expression over the row: see `computed`."""

    expression: Any
    read: Policy
    source: str


@dataclass(frozen=True, eq=False, slots=True)
class First:
    """A to-many member, bounded: see `first`."""

    count: int
    order_by: Any
    source: str


def computed(expression: ColumnElement[T], /, *, read: Policy = anyone) -> T:
    """A member that is an SQL expression: `favorites_count: int = computed(count(Article.favorites))`.

    The expression names the model for the row that it is about; other rows of the same table are `aliased(Model)`.
    Policies of other tables do not apply inside it, unless `readable(Other)` adds one. `read` says who sees the member.
    """
    return cast("T", Computed(expression, read, caller_location()))


def first(count: int, *, order_by: "ColumnElement[Any] | QueryableAttribute[Any]") -> Any:
    """A to-many member with a bound: `comments: list[CommentCard] = first(20, order_by=Comment.created_at.desc())`."""
    return First(count, order_by, caller_location())


class DeclaredDTO(NamedTuple):
    """What the class statement of a DTO says: `name` is the key of the envelope, `names` that of a list."""

    source: str
    name: str | None
    names: str | None
    mistakes: Mistakes

    @classmethod
    def of(cls, title: str, name: Any, names: Any) -> "DeclaredDTO":
        """What is declared of the class `title`."""
        source, mistakes = caller_location(), Mistakes()
        found: dict[str, str | None] = {"name": None, "names": None}
        for argument, given in (("name", name), ("names", names)):
            with mistakes.check(source):
                found[argument] = _checked_key(given, f"{title}(DTO, {argument}=...)")
        one = found["name"]
        return cls(source, one, found["names"] or (f"{one}s" if one else None), mistakes)


def _checked_key(given: Any, location: str) -> str | None:
    if given is not None and not (isinstance(given, str) and given.isidentifier()):
        raise ConfigurationError(
            f"is {given!r}, which is not a name.",
            location=location,
            hint="It is a key of the JSON that is sent: write letters, digits and underscores.",
        )
    return given


class DTO(Generic[M]):
    """A data transfer object of a model: annotated members, each a column, `computed()`, another DTO over a to-one
    relation, or a list of DTOs with `first()` over a to-many one.

    `name` is the key of the envelope where a dialect has one, `names` that of a list (without it, `name + "s"`). As a
    body, an instance holds what was sent: its members are attributes, `row()` makes a row of the model.
    """

    __gatepost_dto__: ClassVar[DeclaredDTO] = DeclaredDTO("", None, None, Mistakes())
    __slots__ = ("__dict__", "__gatepost_make__")

    def __init_subclass__(cls, *, name: str | None = None, names: str | None = None, **more: Any) -> None:
        cls.__gatepost_dto__ = DeclaredDTO.of(cls.__name__, name, names)
        try:
            super().__init_subclass__(**more)
        except TypeError as error:
            if not more:
                raise
            problem = ConfigurationError(f"{error}.", location=cls.__name__, hint="The arguments are name= and names=.")
            cls.__gatepost_dto__.mistakes.add(problem, cls.__gatepost_dto__.source)

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)
        self.__gatepost_make__: Callable[[Mapping[str, Any]], Any] | None = None

    def row(self, **more: Any) -> M:
        """A row of the model with the members' values, and `more`. It is a draft: `create` of the service writes it."""
        values = {**self.__dict__, **more}
        model = cast("Any", model_of(type(self)))
        make = self.__gatepost_make__
        return cast("M", model(**values) if make is None else make(values))

    if not TYPE_CHECKING:  # type checkers find misspelt members

        def __getattr__(self, name: str) -> NoReturn:
            is_known = any(name in vars(base).get("__annotations__", {}) for base in type(self).__mro__)
            reason = "was not sent, and the database makes its default" if is_known else "does not exist"
            raise AttributeError(f"{type(self).__name__}.{name} {reason}.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"


def declared_of(dto: type[DTO[Any]]) -> DeclaredDTO:
    """What the class statement of a DTO says."""
    return dto.__gatepost_dto__


def made_of(dto: type[DTO[Any]], values: Mapping[str, Any], make: Callable[[Mapping[str, Any]], Any]) -> DTO[Any]:
    """The instance of a DTO that holds these values; `make` makes rows of the model."""
    made = dto()
    made.__dict__.update(values)
    made.__gatepost_make__ = make
    return made


def model_of(dto: type[DTO[Any]]) -> type[Any] | None:
    """The model that a class `ArticleCard(DTO[Article])` names, itself or by a class that it inherits from."""
    for owner in dto.__mro__:
        for base in getattr(owner, "__orig_bases__", ()):
            arguments = get_args(base)
            if get_origin(base) is DTO and arguments and isinstance(arguments[0], type):
                return arguments[0]
    return None


class Created(Generic[M]):
    """What an endpoint returns for a row that it has made: 201 with `Location`, which is `location` or the row's own
    path."""

    def __init__(self, row: M, *, location: str | None = None) -> None:
        self.row = row
        self.location = location
