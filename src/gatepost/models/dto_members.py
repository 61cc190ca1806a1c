"""The members of DTOs, read against the models that they show: columns, computed expressions and relations.

Outside the request path: `read_columns` and `DTOReader` run once, when the app is built, and collect every mistake with
the line of its member. `dto_selections.py` makes statements of what is read here.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Generic, cast, get_args, get_origin

import msgspec
from sqlalchemy import Column, ColumnElement, inspect
from sqlalchemy.orm import Mapper

from gatepost.actor import Actor
from gatepost.declaring.dto import DTO, Computed, First, declared_of, model_of
from gatepost.declaring.policies import Policy, anyone, checked_policy, decide
from gatepost.declaring.wire_names import WireName
from gatepost.errors import ConfigurationError
from gatepost.hints import did_you_mean
from gatepost.mistakes import Mistakes
from gatepost.models.adapted_expressions import plain_expression, row_columns
from gatepost.models.annotations import Annotations
from gatepost.models.catalog import Catalog
from gatepost.models.computed_fields import ComputedField, computed_field
from gatepost.models.entity import Attribute, Relation
from gatepost.models.member_types import check_column_type, check_expression_type, optional_of, shown_type
from gatepost.models.readable_rows import read_policy
from gatepost.models.served_model import ServedModel
from gatepost.models.table_refs import bare
from gatepost.sources import attribute_location


class DeclaredMember(msgspec.Struct, frozen=True, eq=False):
    """A member as the class declares it: its annotation, and what it is assigned (`computed()`, `first()`)."""

    dto: type[DTO[Any]]
    name: str
    annotation: Any
    assigned: Any

    @property
    def location(self) -> str:
        """How mistakes call it: by the class that declares it, so that those that inherit it do not repeat them."""
        return f"{_declaring(self.dto, self.name).__name__}.{self.name}"

    @property
    def source(self) -> str:
        """`file:line` of the member."""
        return attribute_location(self.dto, self.name)


class ColumnMember(msgspec.Struct, frozen=True, eq=False):
    """A member that is a column, or another attribute of the model; `read` is who sees it."""

    name: str
    attribute: Attribute
    read: Policy


class ComputedMember(msgspec.Struct, frozen=True, eq=False):
    """A member that is an expression over the row; `read` is who sees it. `readable` are the models whose policies are
    in it. One that `is_condition` is a `bool`, false where SQL says NULL; whether another
    `may_be_none` is what its annotation says."""

    name: str
    field: ComputedField
    read: Policy
    readable: tuple[type[Any], ...] = ()
    is_condition: bool = False
    may_be_none: bool = True

    @property
    def is_of_row(self) -> bool:
        """Whether its value depends on the row alone."""
        field = self.field
        return not (field.reads_other_rows or field.sources or field.readables or field.is_volatile)


class RelatedMember(msgspec.Struct, frozen=True, eq=False):
    """A member that shows the row that a relation leads to as another DTO, which `may_be_none`, or the first `count`
    of its rows in an order. `read` is who sees it, `policies` are those of the rows."""

    name: str
    relation: Relation
    shown: "DTOMembers"
    read: Policy
    policies: tuple[Policy, ...]
    count: int | None = None
    order: ColumnElement[Any] | None = None
    may_be_none: bool = False


Member = ColumnMember | ComputedMember | RelatedMember


class DTOMembers(msgspec.Struct, frozen=True, eq=False):
    """A DTO, read against its model. One object per class, so that it can be a part of recipes.

    `is_flat` where a statement that writes the row can return all of it, `is_of_row` where it changes only with the row
    and with what the actor may see of it, `is_open` where it is the same for every actor, apart from the fields of its
    own model. `wire_names` are the names of members that clients know.
    """

    dto: type[DTO[Any]]
    served: ServedModel
    members: tuple[Member, ...]
    wire_names: Mapping[str, str]
    is_flat: bool
    is_of_row: bool
    is_open: bool

    @classmethod
    def of(
        cls, dto: type[DTO[Any]], served: ServedModel, members: Sequence[Member], wire_name: WireName
    ) -> "DTOMembers":
        """The DTO with these members."""
        computed = [member for member in members if isinstance(member, ComputedMember)]
        is_alone = not any(isinstance(member, RelatedMember) for member in members)
        return cls(
            dto,
            served,
            tuple(members),
            {member.name: wire_name(member.name) for member in members},
            is_flat=is_alone and not any(member.field.reads_other_rows or member.readable for member in computed),
            is_of_row=is_alone and all(member.is_of_row for member in computed),
            is_open=all(map(_is_open, members)),
        )

    def names_for(self, actor: Actor) -> list[str]:
        """The members that an actor is shown on some rows at least."""
        return [member.name for member in self.members if decide(member.read, actor) is not False]


def _is_open(member: Member) -> bool:
    if isinstance(member, ColumnMember):
        return True
    if isinstance(member, ComputedMember):
        return member.read.is_constant and not (member.field.sources or member.readable)
    columns = (each.read for each in member.shown.members if isinstance(each, ColumnMember))
    policies = (member.read, *member.policies, *columns)
    return all(policy.is_same_for_all for policy in policies) and member.shown.is_open


def declared_members(dto: type[DTO[Any]], mistakes: Mistakes) -> Iterator[DeclaredMember]:
    """The members of a DTO, those of its bases first, whose annotations can be read."""
    for mistake in declared_of(dto).mistakes:
        mistakes.add(mistake)
    annotations = Annotations(dto)
    bases = [base for base in dto.__mro__ if base not in (DTO, Generic, object)]
    for name in (name for base in bases for name, given in vars(base).items() if isinstance(given, Computed | First)):
        if name not in annotations.names:
            error = ConfigurationError(
                "does not say of which type it is.",
                location=f"{dto.__name__}.{name}",
                hint=f"Annotate it: `{name}: int = computed(...)`, `{name}: list[CommentCard] = first(...)`.",
            )
            mistakes.add(error, partial(attribute_location, dto, name))
    own = {name for base in bases for name in vars(base).get("__annotations__", {})}
    for name in annotations.names:
        if name not in own:
            continue
        with mistakes.check(partial(attribute_location, dto, name)):
            annotation = annotations.kind_of(name)
            if get_origin(annotation) is not ClassVar and annotation is not ClassVar:
                assigned = next((vars(base)[name] for base in bases if name in vars(base)), None)
                yield DeclaredMember(dto, name, annotation, assigned)


def _declaring(dto: type[DTO[Any]], name: str) -> type[Any]:
    """The class among those of a DTO that declares a member."""
    return next(base for base in dto.__mro__ if name in vars(base).get("__annotations__", {}))


def check_has_members(dto: type[DTO[Any]]) -> None:
    """Raise `ConfigurationError` for a DTO that shows nothing and takes nothing."""
    bases = [base for base in dto.__mro__ if base not in (DTO, Generic, object)]
    if not any(vars(base).get("__annotations__") for base in bases):
        raise ConfigurationError(
            "has no members.", location=dto.__name__, hint="Name columns of the model: `title: str`."
        )


def served_by(dto: type[DTO[Any]], catalog: Catalog) -> ServedModel:
    """The served model of a DTO. Raises `ConfigurationError` where it names none, or one without a resource."""
    model, location = model_of(dto), dto.__name__
    if model is None:
        raise ConfigurationError(
            "names no model.", location=location, hint=f"Write class {location}(DTO[Model]), with the model's name."
        )
    served = catalog.by_model.get(model)
    if served is None:
        raise ConfigurationError(
            f"is a DTO of {model.__name__}, which has no resource.",
            location=location,
            hint=f"Declare Resource({model.__name__}, read=...); with routes=False it has no routes of its own.",
        )
    return served


def read_columns(dto: type[DTO[Any]], served: ServedModel, mistakes: Mistakes) -> dict[str, ColumnMember]:
    """The members of a DTO that are attributes of the model, by name. Every other member is left to the caller; a
    member that is neither an attribute nor assigned anything is a mistake."""
    found: dict[str, ColumnMember] = {}
    for member in declared_members(dto, mistakes):
        if member.assigned is None and member.name not in _relations_of(served):
            with mistakes.check(lambda member=member: member.source):  # type: ignore[misc]
                found[member.name] = read_column(member, served)
    return found


def read_column(member: DeclaredMember, served: ServedModel) -> ColumnMember:
    """A member that is an attribute of the model. Raises `ConfigurationError` where it is none, or of another type."""
    entity, name = served.entity, member.name
    if member.assigned is not None:
        raise ConfigurationError(
            f"is assigned {member.assigned!r}.",
            location=member.location,
            hint="A member has no default: it is a column, computed(...) or first(...).",
        )
    attribute = entity.attributes.get(name)
    if attribute is None:
        known = [*(each for each in entity.attributes if not served.fields[each].hidden), *_relations_of(served)]
        raise ConfigurationError(
            f"{entity.name} has no attribute {name!r}.{did_you_mean(name, known)}",
            location=member.location,
            hint="Name a column or a relation of the model, or write computed(...).",
        )
    if served.fields[name].hidden:
        raise ConfigurationError(
            f"shows {entity.name}.{name}, which is hidden.",
            location=member.location,
            hint=f'Leave it out, or write Resource({entity.name}, fields={{"{name}": Field(read=...)}}).',
        )
    check_column_type(member.annotation, attribute, entity.model, member.location)
    return ColumnMember(name, attribute, served.rules[name].read)


def _relations_of(served: ServedModel) -> Mapping[str, Any]:
    mapper: Mapper[Any] = inspect(served.entity.model)
    return {item.key: item for item in mapper.relationships}


class DTOReader:
    """Reads the DTOs of an app, each once; nested ones with those that show them."""

    def __init__(self, catalog: Catalog, mistakes: Mistakes) -> None:
        self._catalog = catalog
        self._mistakes = mistakes
        self._read: dict[type[DTO[Any]], DTOMembers | None] = {}
        self._reading: list[type[DTO[Any]]] = []

    @property
    def known(self) -> Sequence[DTOMembers]:
        """Those that have been read."""
        return [dto for dto in self._read.values() if dto is not None]

    def read(self, dto: type[DTO[Any]]) -> DTOMembers | None:
        """The DTO; None where it has a mistake, which is kept."""
        if dto not in self._read:
            self._reading.append(dto)
            found: DTOMembers | None = None
            with self._mistakes.check(declared_of(dto).source):
                found = self._members(dto, served_by(dto, self._catalog))
            self._reading.pop()
            self._read[dto] = found
        return self._read[dto]

    def _members(self, dto: type[DTO[Any]], served: ServedModel) -> DTOMembers | None:
        found: list[Member | None] = []
        check_has_members(dto)
        for member in declared_members(dto, self._mistakes):
            read = partial(self._member, member, served)
            found.append(self._mistakes.attempt(read, None, partial(attribute_location, dto, member.name)))
        members = tuple(member for member in found if member is not None)
        return DTOMembers.of(dto, served, members, self._catalog.wire_name) if len(members) == len(found) else None

    def _member(self, member: DeclaredMember, served: ServedModel) -> Member | None:
        if isinstance(member.assigned, Computed):
            return self._computed(member, member.assigned, served)
        if isinstance(member.assigned, First) or member.name in _relations_of(served):
            return self._related(member, served)
        return read_column(member, served)

    def _computed(self, member: DeclaredMember, assigned: Computed, served: ServedModel) -> ComputedMember:
        if member.name in _relations_of(served):
            raise ConfigurationError(
                "is computed and a relation.", location=member.location, hint="Give the member another name."
            )
        is_text = self._catalog.bigint_as_string
        field = computed_field(
            member.name, assigned.expression, served.entity, member.location, bigint_as_string=is_text
        )
        check_expression_type(member.annotation, field.attribute.shape, member.location)
        declared = checked_policy(assigned.read, f"{member.location}, read=")
        read = _read_policy(declared, field.columns, served, member)
        kind, may_be_none = optional_of(member.annotation)
        is_condition = kind is bool and not may_be_none
        return ComputedMember(
            member.name,
            field,
            read,
            _readable(field, served, member),
            is_condition,
            may_be_none=may_be_none or kind in (Any, object),
        )

    def _related(self, member: DeclaredMember, served: ServedModel) -> RelatedMember | None:
        relation, target = self._relation(member, served)
        kind, may_be_none = optional_of(member.annotation)
        nested = _dto_of(kind, member, many=relation.many)
        if nested in self._reading:
            raise ConfigurationError(
                f"shows {nested.__name__} inside itself, without an end.",
                location=member.location,
                hint=f"Write a DTO with fewer members for the inner {target.entity.name}.",
            )
        model = model_of(nested)
        if model is not target.entity.model:
            raise ConfigurationError(
                f"leads to {target.entity.name}, and {nested.__name__} is a DTO of "
                f"{getattr(model, '__name__', 'no model')}.",
                location=member.location,
                hint=f"Write a DTO of {target.entity.name}.",
            )
        if not relation.many:
            _check_nullable(member, relation, served, target, may_be_none=may_be_none)
            shown = self.read(nested)
            if shown is None:
                return None
            read, policies = _policies_of(relation, served, target)
            return RelatedMember(member.name, relation, shown, read, policies, may_be_none=may_be_none)
        first = _checked_first(member, target)
        order = _order_of(first, member, target)
        shown = self.read(nested)
        if shown is None:
            return None
        read, policies = _policies_of(relation, served, target)
        return RelatedMember(member.name, relation, shown, read, policies, first.count, order)

    def _relation(self, member: DeclaredMember, served: ServedModel) -> tuple[Relation, ServedModel]:
        entity, name = served.entity, member.name
        if name not in _relations_of(served):
            raise ConfigurationError(
                f"{entity.name} has no relation {name!r}.{did_you_mean(name, _relations_of(served))}",
                location=member.location,
                hint="first(...) bounds a to-many relation of the model.",
            )
        found = served.relations.get(name)
        if found is not None:
            return found
        target = _relations_of(served)[name].mapper.class_.__name__
        if name in entity.relations:
            problem = f"leads to {target}, which has no resource."
            hint = f"Declare Resource({target}, read=...); with routes=False it has no routes of its own."
        else:
            problem = f"is a relation to {target} that does not join by one pair of columns."
            hint = "Show what it leads to by computed(...), or by a relation with one foreign key."
        raise ConfigurationError(problem, location=member.location, hint=hint)


def _readable(field: ComputedField, served: ServedModel, member: DeclaredMember) -> tuple[type[Any], ...]:
    """The models whose policies are in an expression."""
    models = tuple(dict.fromkeys(part.model for part in field.readables))
    for model in models:
        try:
            read_policy(model, served.entity)
        except ConfigurationError as error:
            raise ConfigurationError(error.message, location=member.location, hint=error.hint) from None
    return models


def _dto_of(kind: Any, member: DeclaredMember, *, many: bool) -> type[DTO[Any]]:
    """The DTO in the annotation of a relation."""
    inner: Any = kind
    if many and get_origin(kind) is list:
        inner = get_args(kind)[0]
    if (many and inner is kind) or not (isinstance(inner, type) and issubclass(inner, DTO)):
        wanted = f"list[{_card(member)}] = first(20, order_by=...)" if many else _card(member)
        relation = "a to-many relation" if many else "a to-one relation"
        raise ConfigurationError(
            f"is {shown_type(member.annotation)}, and {member.name} is {relation}.",
            location=member.location,
            hint=f"Write {member.name}: {wanted}, with a DTO of its model.",
        )
    return cast("type[DTO[Any]]", cast("Any", inner))


def _card(member: DeclaredMember) -> str:
    return f"{member.name.title().replace('_', '')}Card"


def _checked_first(member: DeclaredMember, target: ServedModel) -> First:
    first = member.assigned
    if not isinstance(first, First):
        raise ConfigurationError(
            "is a list without a bound.",
            location=member.location,
            hint=f"Write = first(20, order_by={target.entity.name}.{target.entity.key.names[0]}.desc()).",
        )
    if not isinstance(first.count, int) or isinstance(first.count, bool) or not 1 <= first.count <= FIRST_MAX:  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ConfigurationError(
            f"has first({first.count!r}).", location=member.location, hint=f"Write a number from 1 to {FIRST_MAX}."
        )
    return first


def _policies_of(relation: Relation, served: ServedModel, target: ServedModel) -> tuple[Policy, tuple[Policy, ...]]:
    """Who sees a relation, which shows as much as the column that it joins by; and the policies of the rows that it
    leads to. Without a key in the row that refers to them, they are found as in a list. (A column that nobody sees is
    no rule: the DTO says what is shown in its place.)"""
    policies = target.policies
    if relation.many:
        found = [policies["list"]]
    elif any(key.column is relation.remote for key in relation.local.foreign_keys):
        found = [policies["get"]]
    else:
        found = [policies["get"], policies["list"]]
    here, there = (
        served_model.rules[attribute.name].read if attribute is not None else anyone
        for served_model, attribute in (
            (served, served.entity.attribute_of(relation.local)),
            (target, target.entity.attribute_of(relation.remote)),
        )
    )
    found += [there] if not there.is_constant else []
    return (anyone if here.is_constant else here), tuple(dict.fromkeys(found))


def _order_of(first: First, member: DeclaredMember, target: ServedModel) -> ColumnElement[Any]:
    """The order of a to-many member: by columns of the rows that it shows, which are no secret."""
    entity = target.entity
    hint = f"Write order_by={entity.name}.{entity.key.names[0]}.desc()."
    order = plain_expression(first.order_by, f"{member.location}, order_by=")
    if [bare(table) for table in cast("Any", order)._from_objects] != [entity.table]:
        raise ConfigurationError(
            f"is ordered by what is not a column of {entity.name}.", location=member.location, hint=hint
        )
    for column in row_columns(order, entity.table):
        attribute = entity.attribute_of(column)
        if attribute is not None and not target.rules[attribute.name].read.is_constant:
            raise ConfigurationError(
                f"is ordered by {entity.name}.{attribute.name}, which is hidden from some: the order would reveal it.",
                location=member.location,
                hint=hint,
            )
    return order


FIRST_MAX = 1000
"""The most rows of a to-many member."""


def _check_nullable(
    member: DeclaredMember, relation: Relation, served: ServedModel, target: ServedModel, *, may_be_none: bool
) -> None:
    """A row that the actor may not read is shown as null, like one that is missing."""
    if isinstance(member.assigned, First):
        raise ConfigurationError(
            "has first(...), and the relation leads to one row.", location=member.location, hint="Leave first() out."
        )
    if may_be_none:
        return
    get = target.policies["get"]
    is_there = not relation.local.nullable and any(key.column is relation.remote for key in relation.local.foreign_keys)
    reason = ""
    if not is_there:
        reason = "there may be no such row"
    elif get is not anyone and get is not served.resource.policies["get"]:
        reason = f"the actor may not be allowed to read it (get={get!r})"
    elif target.entity.scope is not None:
        reason = f"the row may be of another class than {target.entity.name}"
    if reason:
        raise ConfigurationError(
            f"may be null: {reason}.",
            location=member.location,
            hint=f"Write {shown_type(member.annotation)} | None.",
        )


def _read_policy(
    declared: Policy, columns: frozenset[Column[Any]], served: ServedModel, member: DeclaredMember
) -> Policy:
    """Who sees an expression: those whom `read=` names, as far as they see the columns that it reads."""
    found = declared
    for column in columns:
        attribute = served.entity.attribute_of(column)
        if attribute is None:
            continue
        rule = served.rules[attribute.name].read
        joins = attribute.primary_key or attribute.references is not None  # a relation reads it, and shows no value
        if served.fields[attribute.name].hidden and not joins:
            raise ConfigurationError(
                f"reads {served.entity.name}.{attribute.name}, which is hidden.",
                location=member.location,
                hint=f'Leave it out, or give the field a rule: fields={{"{attribute.name}": Field(read=...)}}.',
            )
        if not rule.is_constant and rule is not declared:
            found = rule if found is anyone else found & rule
    return found
