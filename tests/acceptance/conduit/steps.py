"""A table is a scenario: requests in order, each with who sends it, the status, and the JSON that answers it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.acceptance.conduit.expectations import Each, Expected, other_than
from tests.acceptance.conduit.specification import ARTICLE, CARD, COMMENT, PROFILE, USER

PASSWORD = "password123"
BLANK, TAKEN = "can't be blank", "has already been taken"
REASON = Expected("a list of one reason", lambda value: isinstance(value, list) and len(value) == 1)


@dataclass(frozen=True)
class Step:
    """One request and its response.

    `by` names who sends it; None is the anonymous. The path, `sends`, `headers` and `shows` may use `{name}` of the
    people of the scenario and of `keeps` of earlier steps, which are paths into the response. `shows` None is a
    response without a body.
    """

    request: str
    status: int
    shows: Any = None
    by: str | None = None
    sends: Any = None
    keeps: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    """Steps in order. Each of `people` has a name of its own in each scenario, so scenarios do not meet."""

    name: str
    people: tuple[str, ...]
    steps: tuple[Step, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those of every request."""

    def names(self) -> dict[str, str]:
        """`{name}` of each of the people."""
        return {who: f"{who}_{re.sub(r'[^a-z]+', '_', self.name)}" for who in self.people}


def user(who: str, **fields: Any) -> dict[str, Any]:
    """The JSON of a signed-in user, who has neither a biography nor a picture unless `fields` says so."""
    values = {"username": f"{{{who}}}", "email": f"{{{who}}}@example.test", "bio": None, "image": None}
    return {"user": of(USER, **{**values, **fields})}


def profile(who: str, **fields: Any) -> dict[str, Any]:
    """The JSON of a profile."""
    return {"profile": person(who, **fields)}


def person(who: str, **fields: Any) -> dict[str, Any]:
    """The profile inside of an article or a comment; not followed, unless `fields` says so."""
    return of(PROFILE, **{"username": f"{{{who}}}", "bio": None, "image": None, "following": False, **fields})


def article(**fields: Any) -> dict[str, Any]:
    """The JSON of a single article."""
    return {"article": of(ARTICLE, **fields)}


def articles(*cards: dict[str, Any], count: Any = None) -> dict[str, Any]:
    """The JSON of a list of exactly these articles, of which there are `count` in all, or just these."""
    return {"articles": list(cards), "articlesCount": len(cards) if count is None else count}


def all_articles(count: Any) -> dict[str, Any]:
    """The JSON of a list of at least one article, whatever they are."""
    return {"articles": Each(CARD), "articlesCount": count}


def card(**fields: Any) -> dict[str, Any]:
    """An article in a list."""
    return of(CARD, **fields)


def comment(**fields: Any) -> dict[str, Any]:
    """The JSON of a single comment."""
    return {"comment": of(COMMENT, **fields)}


def comments(*several: dict[str, Any]) -> dict[str, Any]:
    """The JSON of all comments of an article; each of `several` says fields."""
    return {"comments": [of(COMMENT, **fields) for fields in several]}


def errors(**reasons: str | Expected | None) -> dict[str, Any]:
    """The JSON of a refusal: exactly these fields, each with one reason; None is any reason."""
    return {"errors": {name: REASON if words is None else [words] for name, words in reasons.items()}}


def of(schema: Mapping[str, Any], **fields: Any) -> dict[str, Any]:
    """An object of a schema, some of whose fields have a certain value."""
    if unknown := fields.keys() - schema.keys():
        raise KeyError(f"the schema has no {unknown}")
    return {**schema, **fields}


NO_TOKEN = errors(token="is missing")
NO_ARTICLE = errors(article="not found")
NO_PROFILE = errors(profile="not found")
NO_COMMENT = errors(comment="not found")
NOT_BLANK = Expected("a reason that is not 'blank'", other_than(BLANK).holds, (BLANK,))


def registered(*people: str) -> Iterator[Step]:
    """The registration of each: the first steps of most scenarios."""
    for who in people:
        yield register(who, shows=user(who), keeps={f"{who}_token": "user.token"})


def register(who: str, status: int = 201, *, shows: Any, keeps: Mapping[str, str] | None = None, **sent: str) -> Step:
    """A registration, with some fields other than those of `who`."""
    body = {"username": f"{{{who}}}", "email": f"{{{who}}}@example.test", "password": PASSWORD, **sent}
    return Step("POST /users", status, shows, sends={"user": body}, keeps=keeps or {})


def login(who: str, status: int = 200, *, shows: Any, keeps: Mapping[str, str] | None = None, **sent: str) -> Step:
    """A sign-in, with some fields other than those of `who`."""
    body = {"email": f"{{{who}}}@example.test", "password": PASSWORD, **sent}
    return Step("POST /users/login", status, shows, sends={"user": body}, keeps=keeps or {})


def update(who: str, shows: Any, status: int = 200, keeps: Mapping[str, str] | None = None, **sent: Any) -> Step:
    """A change of the signed-in user's own fields."""
    return Step("PUT /user", status, shows, by=who, sends={"user": sent}, keeps=keeps or {})


def me(who: str, shows: Any) -> Step:
    """The signed-in user."""
    return Step("GET /user", 200, shows, by=who)


def publish(who: str, title: str, *, keeps: str, tags: list[str] | None = None) -> Step:
    """A new article, whose slug is kept."""
    sent: dict[str, Any] = {"title": title, "description": f"About {title}", "body": f"Text of {title}"}
    shown = article(**sent, tagList=tags or [], favorited=False, favoritesCount=0, author=person(who))
    body = {"article": sent if tags is None else {**sent, "tagList": tags}}
    return Step("POST /articles", 201, shown, by=who, sends=body, keeps={keeps: "article.slug"})


def remove(who: str, *slugs: str) -> Iterator[Step]:
    """Articles are deleted; `slugs` are names under which their slugs were kept."""
    for slug in slugs:
        yield Step(f"DELETE /articles/{{{slug}}}", 204, by=who)
