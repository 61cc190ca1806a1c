"""What an actor is shown of rows by a DTO: a part of recipes, beside the selection of derived fields.

Only this adds the rules of fields to a DTO: a column follows the rule of its field, a computed member its own and those
of the columns that it reads, a relation that of the column that it joins by. Nested rows are under the policies of
their own resource.
"""

from collections.abc import Callable, Collection
from typing import Any, cast

from sqlalchemy import ColumnElement, FromClause, false, func

from gatepost.actor import Actor
from gatepost.declaring.policies import Decision, both, decide
from gatepost.declaring.row_expressions import CallValue
from gatepost.models.adapted_expressions import adapted
from gatepost.models.bind_types import unrounded
from gatepost.models.casts import guard_casts
from gatepost.models.conditions import NO_READABLES, BoundReadables, BoundRule, bind_decision, bind_readables
from gatepost.models.dto_members import ComputedMember, DTOMembers, Member, RelatedMember
from gatepost.models.entity import Entity
from gatepost.models.first_rows import FirstRows
from gatepost.models.readable_rows import with_readable
from gatepost.models.recipes import Bound, Part
from gatepost.models.row_size import members_bytes_max, value_bytes_max
from gatepost.models.rows import Pieces, object_pieces, value_pieces
from gatepost.models.selections import Expansion, RowSelection
from gatepost.models.served_model import ServedModel
from gatepost.models.table_refs import TableRef

CallValues = Callable[[str], Any]
"""Gives the value of the call for a source of `CallValue`."""


class BoundComputed(Part, frozen=True):
    """A computed member for one call: the values of the call in it, and the policies of `readable()`."""

    member: ComputedMember
    values: tuple[Bound, ...]
    readables: BoundReadables

    @classmethod
    def of(cls, member: ComputedMember, actor: Actor, values: CallValues, entity: Entity) -> "BoundComputed":
        """The member, of rows of an entity, for the actor of a call."""
        bound = tuple([Bound(values(source)) for source in member.field.sources])
        readables = bind_readables(member.readable, actor, entity) if member.readable else NO_READABLES
        return cls(member, bound, readables)

    def bounds(self) -> list[Bound]:
        """The values that it binds."""
        return [*self.values, *self.readables.bounds()]

    def pieces(self, source: TableRef) -> Pieces:
        """The value on a row of `source`."""
        field = self.member.field
        bounds = dict(zip(field.sources, self.values, strict=True))

        def replace(part: Any) -> ColumnElement[Any] | None:
            if not isinstance(part, CallValue):
                return None
            kind: Any = cast("Any", part).type
            return bounds[part.source].parameter(unrounded(kind))

        expression, _ = guard_casts(adapted(field.expression, source, replace), source.table)
        if self.readables.of:
            expression = with_readable(expression, self.readables.condition, is_filter=False)
        if self.member.is_condition:
            expression = func.coalesce(expression, false())
        return value_pieces(expression, field.attribute)


class DTOSelection(RowSelection, frozen=True):
    """The members `names` of a DTO: columns, and what is `computed` and `nested`."""

    dto: DTOMembers
    computed: tuple[BoundComputed, ...]
    nested: tuple[Expansion, ...]

    @classmethod
    def of(
        cls,
        dto: DTOMembers,
        rule: BoundRule,
        values: CallValues,
        names: Collection[str] | None = None,
        served: ServedModel | None = None,
    ) -> "DTOSelection":
        """What the actor of `rule` is shown of these members, or of all. `served` is the model of the DTO, known by the
        key of its paths."""
        return _Selecting(dto, rule, values).selection(names, served or dto.served)

    @property
    def has_tag(self) -> bool:
        return self.dto.is_of_row

    @property
    def row_bytes_max(self) -> int | None:
        attributes = self.served.entity.attributes
        others = {item.member.name: value_bytes_max(item.member.field.attribute.shape) for item in self.computed}
        others |= {item.relation.name: item.bytes_max for item in self.nested}
        return members_bytes_max(
            (self.dto.wire_names[name], others[name] if name in others else value_bytes_max(attributes[name].shape))
            for name in self.names
        )

    @property
    def relation_count(self) -> int:
        return sum(item.relation_count for item in self.nested)

    def bounds(self) -> list[Bound]:
        found = RowSelection.bounds(self)
        for computed in self.computed:
            found += computed.bounds()
        for nested in self.nested:
            found += nested.bounds()
        return found

    def row(self, source: TableRef, joined: FromClause) -> tuple[FromClause, Pieces]:
        found = {item.member.name: item.pieces(source) for item in self.computed}
        for item in self.nested:
            joined, found[item.relation.name] = item.join(source, joined)
        for name in self.names:
            if name not in found:
                found[name] = value_pieces(source.column(name), source.entity.attributes[name])
        rules, sent = {name: rule.outcome(source) for name, rule in self.ruled}, self.dto.wire_names
        plain = [(sent[name], found[name]) for name in self.names if name not in rules]
        ruled = [(sent[name], rules[name], found[name]) for name in self.names if name in rules]
        return joined, object_pieces(plain, ruled)


class _Selecting:
    """Decides for one call which members of a DTO are shown, and under which rules."""

    def __init__(self, dto: DTOMembers, rule: BoundRule, values: CallValues) -> None:
        self._dto = dto
        self._rule = rule
        self._actor = rule.actor
        self._values = values
        self._names: list[str] = []
        self._ruled: list[tuple[str, BoundRule]] = []
        self._computed: list[BoundComputed] = []
        self._nested: list[Expansion] = []

    def selection(self, names: Collection[str] | None, served: ServedModel) -> DTOSelection:
        """The selection of these members, or of all."""
        for member in self._dto.members:
            if names is None or member.name in names:
                self._add(member)
        return DTOSelection(
            served,
            self._rule,
            tuple(self._names),
            tuple(self._ruled),
            self._dto,
            tuple(self._computed),
            tuple(self._nested),
        )

    def _add(self, member: Member) -> None:
        decision = decide(member.read, self._actor)
        if decision is False:
            return
        self._names.append(member.name)
        if decision is not True:
            self._ruled.append((member.name, bind_decision(decision, self._actor, self._dto.served.entity)))
        if isinstance(member, ComputedMember):
            self._computed.append(BoundComputed.of(member, self._actor, self._values, self._dto.served.entity))
        elif isinstance(member, RelatedMember):
            self._nested.append(self._related(member))

    def _related(self, member: RelatedMember) -> Expansion:
        decision: Decision = True
        for policy in member.policies:
            decision = both(decision, decide(policy, self._actor))
        rule = bind_decision(decision, self._actor, member.shown.served.entity)
        selection = DTOSelection.of(member.shown, rule, self._values)
        if member.count is None or member.order is None:
            return Expansion(member.relation, selection)
        return FirstRows(member.relation, selection, member, member.count)
