"""Selections: what an actor is shown of a row, with the rows that it is expanded by.

A selection is a part of the recipes of reads and writes. Policies are conditions of the statement, including those of
rows that are expanded.
"""

from sqlalchemy import FromClause, and_, select, true

from gatepost.models.conditions import BoundRule, bind_decision
from gatepost.models.entity import Relation
from gatepost.models.literals import literal_integer
from gatepost.models.recipes import Bound, Part
from gatepost.models.row_size import row_bytes_max
from gatepost.models.rows import Pieces, or_null, row_pieces
from gatepost.models.served_model import ServedModel
from gatepost.models.table_refs import TableRef
from gatepost.view import View


class RowSelection(Part, frozen=True):
    """What an actor is shown of the rows that satisfy the rule: the members `names`. `ruled` are the rules of those
    that are not shown on every row."""

    served: ServedModel
    rule: BoundRule
    names: tuple[str, ...]
    ruled: tuple[tuple[str, BoundRule], ...]

    @property
    def has_tag(self) -> bool:
        """Whether the version of the row is the version of what is shown."""
        raise NotImplementedError

    @property
    def row_bytes_max(self) -> int | None:
        """The most bytes that a row can have; None where they are not bounded."""
        raise NotImplementedError

    @property
    def relation_count(self) -> int:
        """How many relations it follows."""
        raise NotImplementedError

    def row(self, source: TableRef, joined: FromClause) -> tuple[FromClause, Pieces]:
        """The pieces of a row of `source`, and what they are selected from: `joined` with what it needs besides."""
        raise NotImplementedError

    def source(self) -> TableRef:
        """The table that the rows are in."""
        return TableRef.of(self.served.entity)

    def bounds(self) -> list[Bound]:
        """The values that its rules bind, besides the actor's id."""
        found = self.rule.bounds()
        for _, rule in self.ruled:
            found += rule.bounds()
        return found


class Selection(RowSelection, frozen=True):
    """The fields `names` of the rows, as the resource is declared, with the rows that they are expanded by."""

    expand: "tuple[Expansion, ...]" = ()

    @classmethod
    def of(
        cls,
        served: ServedModel,
        view: View,
        rule: BoundRule,
        fields: tuple[str, ...] | None = None,
        expand: "tuple[Expansion, ...]" = (),
    ) -> "Selection":
        """What the actor of `rule` is shown of these fields, or of all that the view has. Only this adds the rules of
        fields: a selection that is made directly shows its `names` on every row."""
        names = view.shown if fields is None else fields
        rules = view.ruled
        if not rules:
            return cls(served, rule, names, (), expand)
        ruled = [(name, bind_decision(rules[name], rule.actor, served.entity)) for name in names if name in rules]
        return cls(served, rule, names, tuple(ruled), expand)

    @property
    def has_tag(self) -> bool:
        return not self.expand

    @property
    def row_bytes_max(self) -> int | None:
        nested = [(item.relation.wire_name, item.bytes_max) for item in self.expand]
        return row_bytes_max(self.served, self.names, nested)

    @property
    def relation_count(self) -> int:
        return sum(item.relation_count for item in self.expand)

    def bounds(self) -> list[Bound]:
        found = RowSelection.bounds(self)
        for item in self.expand:
            found += item.bounds()
        return found

    def row(self, source: TableRef, joined: FromClause) -> tuple[FromClause, Pieces]:
        nested: list[tuple[str, Pieces]] = []
        for item in self.expand:
            joined, pieces = item.join(source, joined)
            nested.append((item.relation.wire_name, pieces))
        pieces = row_pieces(
            source,
            self.names,
            rules={name: rule.outcome(source) for name, rule in self.ruled},
            nested=nested,
        )
        return joined, pieces


class Expansion(Part, frozen=True):
    """A relation to include in the row. `selection` is what the actor is shown of the target's rows, and by which rule.

    This class includes a to-one relation, as an object or null. Another kind of expansion is a subclass that overrides
    `join` and `bytes_max`; it need not change which rows are selected. The pieces of JSON that its `join` returns come
    from `row_pieces`, or of a single column from `json_pieces`, or from a `Splice` where `decoder_of` finds a decoder;
    their sizes, for `bytes_max`, from `row_bytes_max` or, of a single column, from `value_bytes_max`.
    """

    relation: Relation
    selection: RowSelection

    @property
    def bytes_max(self) -> int | None:
        """The most bytes that it adds to a row; None where they are not bounded."""
        return self.selection.row_bytes_max

    @property
    def relation_count(self) -> int:
        """How many relations it follows, those of its own expansions included."""
        return 1 + self.selection.relation_count

    def bounds(self) -> list[Bound]:
        """The values that its rules bind."""
        return self.selection.bounds()

    def join(self, outer: TableRef, joined: FromClause) -> tuple[FromClause, Pieces]:
        """Its pieces, and what they are selected from with the target joined: a row that is absent or hidden from the
        actor shows as null. Of several, which a unique constraint would exclude, the first is shown."""
        selection = self.selection
        source = TableRef.alias(selection.served.entity)
        conditions = [source.joined_by(self.relation, outer), *selection.rule.conditions(source)]
        if not self.relation.is_unique:
            key = [source.column(name) for name in source.entity.key.names]
            first = select(source.table).where(*conditions).order_by(*key).limit(literal_integer(1)).lateral()
            source, conditions = TableRef(source.entity, first), [true()]
        joined = joined.outerjoin(source.table, and_(*conditions))
        joined, pieces = selection.row(source, joined)
        return joined, or_null(pieces, source.column_of(self.relation.remote).is_not(None))
