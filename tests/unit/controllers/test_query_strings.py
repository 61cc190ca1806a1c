"""Query strings taken apart, without a resource: the same bytes are the same `RawQuery` to everybody."""

import pytest

from gatepost.controllers.query_strings import MEMBERS_MAX, Parameter, RawQuery, invalid_parameter, members_of, parse
from gatepost.errors import BadRequest


def test_nothing_that_is_not_given_is_assumed() -> None:
    assert parse(b"") == parse(b"&&") == RawQuery()


def test_a_query_string_is_taken_apart() -> None:
    raw = parse(b"price%5Blt%5D=20&sort=-title,id&fields=id,title,id&expand=author.country,author&limit=+5&after=x")
    assert raw == RawQuery(
        labels=("price[lt]", "sort", "fields", "expand", "limit", "after"),
        filters=(Parameter("price", "lt", "20"),),
        sort=("-title", "id"),
        fields=("id", "title"),
        expand={"author": {"country": {}}},
        limit=" 5",
        cursor=Parameter("after", None, "x"),
    )


@pytest.mark.parametrize(
    ("query_string", "filters"),
    [
        (b"title=a%2Cb", [("title", None, "a,b")]),
        (b"a=1&a=2", [("a", None, "1"), ("a", None, "2")]),
        (b"author.name[ne]=x", [("author.name", "ne", "x")]),
        (b"sort[eq]=3", [("sort", "eq", "3")]),
        (b"a=b=c", [("a", None, "b=c")]),
        (b"a", [("a", None, "")]),
        (b"q=1&count=2", []),
    ],
)
def test_what_is_not_reserved_is_a_filter(query_string: bytes, filters: list[tuple[str, str | None, str]]) -> None:
    assert list(parse(query_string).filters) == filters


@pytest.mark.parametrize(
    ("query_string", "words"),
    [
        (b"sort=a&sort=b", "'sort' is given more than once"),
        (b"after=a&before=b", "'after': `after` and `before` cannot be combined"),
        (b"small[]=1", "'small[]' is not of the form field[operator]"),
        (b"small]=1", "'small]' is not of the form field[operator]"),
        (b"word=%FF", "not UTF-8"),
        (b"word=%00", "a NUL character"),
        (b"&".join([b"a=1"] * 51), "more than 50 parameters"),
        (b"expand=a.b.c.d", "'a.b.c.d' goes deeper than 3 relations"),
        (b"expand=" + b",".join([b"a"] * 11), "more than 10 relations"),
    ],
)
def test_what_is_wrong_for_every_resource_is_refused(query_string: bytes, words: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse(query_string)
    assert refused.value.code == "invalid_parameter"
    assert words in refused.value.detail


@pytest.mark.parametrize(
    ("text", "members"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("a,b,", ["a", "b", ""]),
        (",", ["", ""]),
        ('"Doe, Jane",Bob', ["Doe, Jane", "Bob"]),
        ('Bob,"Doe, Jane"', ["Bob", "Doe, Jane"]),
        ('"say ""hi""",x', ['say "hi"', "x"]),
        ('""', [""]),
        ('"",""', ["", ""]),
        ('""""', ['"']),
        ('5" disk,3"', ['5" disk', '3"']),
        ('a"b"c', ['a"b"c']),
        (' "a"', [' "a"']),
        ("a\\,b", ["a\\", "b"]),
        ('"line\nbreak, too"', ["line\nbreak, too"]),
    ],
)
def test_a_member_of_a_list_is_quoted_as_in_csv(text: str, members: list[str]) -> None:
    assert members_of(text) == members


@pytest.mark.parametrize("text", ['"', '"a', '"a,b', '"a"b', '"a" ,b', 'a,"', '"a""', '"""', '"' + '""' * 20_000])
def test_a_quote_that_is_not_closed_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="begins with a quote"):
        members_of(text)


def test_a_list_has_a_hundred_members() -> None:
    assert len(members_of(",".join(["1"] * MEMBERS_MAX))) == MEMBERS_MAX
    with pytest.raises(ValueError, match="more than 100 values"):
        members_of("," * MEMBERS_MAX)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("It is required.", "The parameter 'since' is required."),
        ("Send a date.", "The parameter 'since': Send a date."),
        ("A word is missing", "The parameter 'since': A word is missing."),
        ("UTF-8 is needed.", "The parameter 'since': UTF-8 is needed."),
        ('There is none. Did you mean "a"?', "The parameter 'since': There is none. Did you mean \"a\"?"),
        ("'x' is named twice", "The parameter 'since': 'x' is named twice."),
    ],
)
def test_a_refusal_is_a_sentence(reason: str, said: str) -> None:
    assert invalid_parameter("since", reason).detail == said
