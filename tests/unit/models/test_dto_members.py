"""DTOs are read against their models when the app is built, and every mistake is found with the line of its member."""

import inspect
from datetime import datetime
from typing import Any

import pytest
from dto_models import Post, Remark, Tag, Writer
from sqlalchemy import func, select
from sqlalchemy.orm import aliased

from gatepost import DTO, App, Field, Resource, anyone, authenticated, computed, count, first, owner, role
from gatepost.declaring.resource import hidden
from gatepost.errors import ConfigurationError
from gatepost.mistakes import Mistakes
from gatepost.models.catalog import Catalog
from gatepost.models.dto_members import ColumnMember, ComputedMember, DTOReader, RelatedMember, read_columns

EDITOR = role("editor")


def catalog_of(**writer: Any) -> Catalog:
    mistakes = Mistakes()
    catalog = Catalog(
        [
            Resource(
                Writer,
                fields={"secret": hidden, "salary": Field(read=EDITOR, write=EDITOR)},
                **(writer or {"read": anyone}),
            ),
            Resource(Post, read=anyone),
            Resource(Remark, read=anyone),
        ],
        mistakes,
    )
    mistakes.raise_any()
    return catalog


def read(dto: type[DTO[Any]], **writer: Any) -> list[ConfigurationError]:
    mistakes = Mistakes()
    found = DTOReader(catalog_of(**writer), mistakes).read(dto)
    assert (found is None) == bool(mistakes)
    return list(mistakes)


def only_mistake(dto: type[DTO[Any]], **writer: Any) -> ConfigurationError:
    (mistake,) = read(dto, **writer)
    return mistake


class WriterCard(DTO[Writer]):
    name: str
    bio: str | None


class RemarkCard(DTO[Remark]):
    text: str
    made_at: datetime


class PostCard(DTO[Post]):
    title: str
    length: int
    writer: WriterCard
    editor: WriterCard | None
    remark_count: int = computed(count(Post.remarks))


class PostFull(PostCard):
    id: int
    remarks: list[RemarkCard] = first(20, order_by=Remark.made_at.desc())


def test_members_are_read_in_their_order_those_of_bases_first() -> None:
    mistakes = Mistakes()
    found = DTOReader(catalog_of(), mistakes).read(PostFull)
    mistakes.raise_any()
    assert found is not None
    kinds = {
        "title": ColumnMember,
        "length": ColumnMember,
        "writer": RelatedMember,
        "editor": RelatedMember,
        "remark_count": ComputedMember,
        "id": ColumnMember,
        "remarks": RelatedMember,
    }
    assert {member.name: type(member) for member in found.members} == kinds
    assert [member.name for member in found.members] == list(kinds)


def test_the_columns_of_a_body_are_read_alone() -> None:
    mistakes = Mistakes()
    assert list(read_columns(PostFull, catalog_of().by_model[Post], mistakes)) == ["title", "length", "id"]
    assert not mistakes


def test_a_computed_field_is_seen_by_those_who_see_the_columns_that_it_reads() -> None:
    class Paid(DTO[Writer]):
        yearly: int = computed(Writer.salary * 12)

    mistakes = Mistakes()
    found = DTOReader(catalog_of(), mistakes).read(Paid)
    assert found is not None
    (member,) = found.members
    assert isinstance(member, ComputedMember)
    assert member.read is EDITOR


def test_all_mistakes_are_found_in_one_run_with_the_line_of_each_member() -> None:
    class Wrong(DTO[Post]):
        titel: str
        id: str
        editor: WriterCard
        remarks: list[RemarkCard]

    lines, start = inspect.getsourcelines(Wrong)
    found = read(Wrong)
    assert [mistake.source for mistake in found] == [
        f"tests/unit/models/test_dto_members.py:{start + number}" for number in range(1, len(lines))
    ]


class Missing(DTO[Post]):
    titel: str


class OtherType(DTO[Post]):
    title: int


class NeverNull(DTO[Writer]):
    bio: str


class AlwaysThere(DTO[Writer]):
    name: str | None


class Secret(DTO[Writer]):
    secret: str


class OfSecret(DTO[Writer]):
    size: int = computed(func.char_length(Writer.secret))


class OtherComputed(DTO[Post]):
    remark_count: str = computed(count(Post.remarks))  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


class Untyped(DTO[Post]):
    value: str = computed(func.unknown_function(Post.title))


class OtherRows(DTO[Post]):
    size: int = computed(func.char_length(Writer.name))


class AllRows(DTO[Post]):
    total: int = computed(select(func.count()).select_from(Post).scalar_subquery())


class NoExpression(DTO[Post]):
    total: int = computed("count(*)")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


class Unbounded(DTO[Post]):
    remarks: list[RemarkCard]


class BoundedByNothing(DTO[Post]):
    remarks: list[RemarkCard] = first(0, order_by=Remark.id)


class NotAList(DTO[Post]):
    remarks: RemarkCard = first(20, order_by=Remark.id)


class AList(DTO[Post]):
    writer: list[WriterCard]


class MaybeMissing(DTO[Post]):
    editor: WriterCard


class NotARelation(DTO[Post]):
    comments: list[RemarkCard] = first(20, order_by=Remark.id)


class TagCard(DTO[Tag]):
    id: int


class Unserved(DTO[Post]):
    tags: list[TagCard] = first(20, order_by=Tag.id)


class OtherModel(DTO[Post]):
    writer: RemarkCard


class Assigned(DTO[Post]):
    title: str = "a title"


class Endless(DTO[Remark]):
    post: "EndlessPost"


class EndlessPost(DTO[Post]):
    remarks: list[Endless] = first(20, order_by=Remark.id)


class NoModel(DTO):  # type: ignore[type-arg]
    title: str


class Unordered(DTO[Post]):
    remarks: list[RemarkCard] = first(20, order_by=Post.id)


@pytest.mark.parametrize(
    ("dto", "problem", "hint"),
    [
        (Missing, "Post has no attribute 'titel'. Did you mean 'title'?", "a column or a relation"),
        (OtherType, "is declared as int, and Post.title is str.", "Write str."),
        (NeverNull, "is str, and Writer.bio may be null.", "Write str | None."),
        (AlwaysThere, "may be None, and Writer.name is never null.", "Write str."),
        (Secret, "shows Writer.secret, which is hidden.", 'fields={"secret": Field(read=...)}'),
        (OfSecret, "reads Writer.secret, which is hidden.", 'fields={"secret": Field(read=...)}'),
        (OtherComputed, "is declared as str, and the expression is int.", "Write int."),
        (Untyped, "whose type SQLAlchemy does not know", "type_coerce"),
        (OtherRows, "is about rows of dto_writers.", "count(Post.relation)"),
        (AllRows, "reads other rows of Post by the name that stands for the row.", "other = aliased(Post)"),
        (NoExpression, "is 'count(*)', which is not an SQL expression.", "Write an expression over the model"),
        (Unbounded, "is a list without a bound.", "= first(20, order_by=Remark.id.desc())"),
        (BoundedByNothing, "has first(0).", "from 1 to 1000"),
        (NotAList, "is RemarkCard, and remarks is a to-many relation.", "list[RemarksCard] = first(20"),
        (AList, "and writer is a to-one relation.", "Write writer: WriterCard"),
        (MaybeMissing, "may be null: there may be no such row.", "Write WriterCard | None."),
        (NotARelation, "Post has no relation 'comments'.", "first(...) bounds a to-many relation"),
        (Unserved, "leads to Tag, which has no resource.", "Declare Resource(Tag, read=...)"),
        (OtherModel, "leads to Writer, and RemarkCard is a DTO of Remark.", "Write a DTO of Writer."),
        (Assigned, "is assigned 'a title'.", "A member has no default"),
        (Endless, "shows Endless inside itself, without an end.", "fewer members for the inner Remark"),
        (NoModel, "names no model.", "class NoModel(DTO[Model])"),
        (Unordered, "is ordered by what is not a column of Remark.", "order_by=Remark.id.desc()"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_mistake_says_what_is_wrong_and_what_to_write(dto: type[DTO[Any]], problem: str, hint: str) -> None:
    mistake = only_mistake(dto)
    assert problem in mistake.message
    assert hint in (mistake.hint or "")
    assert (mistake.source or "").startswith("tests/unit/models/test_dto_members.py:")


@pytest.mark.parametrize("policy", [authenticated, owner("id"), ~authenticated])
def test_a_row_that_may_be_hidden_is_declared_as_one_that_may_be_none(policy: Any) -> None:
    class Shown(DTO[Post]):
        writer: WriterCard

    assert "the actor may not be allowed to read it" in only_mistake(Shown, read=policy).message
    assert not read(Shown)


def test_other_rows_of_the_table_are_an_alias() -> None:
    other = aliased(Post)

    class Counted(DTO[Post]):
        same_writer: int = computed(
            select(func.count()).select_from(other).where(other.writer_id == Post.writer_id).scalar_subquery()
        )

    assert not read(Counted)


def test_the_roles_of_an_app_are_those_of_its_members_too() -> None:
    class WriterPage(DTO[Writer]):
        name: str
        post_count: int = computed(count(Writer.posts), read=role("statistician"))

    declaration = App(Resource(Writer, read=anyone, answers=WriterPage, fields={"secret": hidden})).declaration

    assert declaration.role_names == {"statistician"}
