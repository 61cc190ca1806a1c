"""Articles: written, listed, read, changed and deleted; their tags."""

from typing import Any

from tests.acceptance.conduit.expectations import TEXT, at_least, other_than, with_each_once
from tests.acceptance.conduit.steps import (
    BLANK,
    NO_ARTICLE,
    NO_TOKEN,
    Scenario,
    Step,
    all_articles,
    article,
    articles,
    card,
    errors,
    person,
    publish,
    registered,
    remove,
)

DRAGONS = ["dragons_{ann}", "training_{ann}"]
TITLE = "How {ann} trains"
CARD: dict[str, Any] = {
    "slug": "{slug}",
    "title": TITLE,
    "description": f"About {TITLE}",
    "tagList": DRAGONS,
    "createdAt": "{created}",
    "favorited": False,
    "favoritesCount": 0,
    "author": person("ann"),
}
FULL: dict[str, Any] = {**CARD, "body": f"Text of {TITLE}"}
CHANGED: dict[str, Any] = {**FULL, "body": "With two hands"}
AGAIN: dict[str, Any] = {**FULL, "body": "With three"}
TIMES = {"created": "article.createdAt", "updated": "article.updatedAt"}


def change(shows: Any, status: int = 200, **sent: Any) -> Step:
    """A change of the article by its author."""
    return Step("PUT /articles/{slug}", status, shows, by="ann", sends={"article": sent})


ARTICLES = Scenario(
    "articles",
    ("ann",),
    (
        *registered("ann"),
        publish("ann", TITLE, keeps="slug", tags=DRAGONS),
        Step("GET /articles", 200, all_articles(at_least(1))),
        Step("GET /articles?author={ann}", 200, articles(card(**{**CARD, "createdAt": TEXT}))),
        Step("GET /articles", 200, all_articles(at_least(1)), by="ann"),
        Step("GET /articles?author={ann}", 200, articles(card(**{**CARD, "createdAt": TEXT})), by="ann"),
        Step("GET /articles?tag=dragons_{ann}", 200, articles(card(**{**CARD, "createdAt": TEXT}))),
        Step("GET /articles", 200, all_articles(at_least(1))),
        Step("GET /articles/{slug}", 200, article(**{**FULL, "createdAt": TEXT}), keeps=TIMES),
        change(article(**CHANGED, updatedAt=other_than("{updated}")), body="With two hands"),
        Step("GET /articles/{slug}", 200, article(**CHANGED, updatedAt=other_than("{updated}"))),
        change(article(**AGAIN), body="With three"),
        change(article(**{**AGAIN, "tagList": []}), tagList=[]),
        Step("GET /articles/{slug}", 200, article(**{**AGAIN, "tagList": []})),
        change(errors(tagList=None), 422, tagList=None),
        change(errors(title=BLANK, description=BLANK), 422, title="", description="", tagList=["unwanted"]),
        change(article(**{**AGAIN, "tagList": [], "description": "Briefly"}), description="Briefly"),
        *remove("ann", "slug"),
        Step("GET /articles/{slug}", 404, NO_ARTICLE),
    ),
)


def refused(**blank: str) -> Step:
    """An article some of whose fields are wrong."""
    sent = {"title": "Wrong", "description": "Wrong", "body": "Wrong", **blank}
    return Step("POST /articles", 422, errors(**dict.fromkeys(blank, BLANK)), by="ann", sends={"article": sent})


SENT = {"article": {"body": "Unwanted"}}

ERRORS_ARTICLES = Scenario(
    "errors_articles",
    ("ann",),
    (
        Step(
            "POST /articles", 401, NO_TOKEN, sends={"article": {"title": "Nobody's", "description": "No", "body": "No"}}
        ),
        Step("GET /articles/unknown-slug", 404, NO_ARTICLE),
        Step("PUT /articles/unknown-slug", 401, NO_TOKEN, sends=SENT),
        Step("DELETE /articles/unknown-slug", 401, NO_TOKEN),
        Step("GET /articles/feed", 401, NO_TOKEN),
        Step("POST /articles/unknown-slug/favorite", 401, NO_TOKEN),
        Step("DELETE /articles/unknown-slug/favorite", 401, NO_TOKEN),
        *registered("ann"),
        refused(title=""),
        refused(description=""),
        refused(body=""),
        publish("ann", "Twice {ann}", keeps="first"),
        publish("ann", "Twice {ann}", keeps="second"),
        Step("GET /articles/{second}", 200, article(slug=other_than("{first}"))),
        Step("PUT /articles/unknown-slug", 404, NO_ARTICLE, by="ann", sends=SENT),
        Step("POST /articles/unknown-slug/favorite", 404, NO_ARTICLE, by="ann"),
        Step("DELETE /articles/unknown-slug/favorite", 404, NO_ARTICLE, by="ann"),
        Step("PUT /articles/unknown-slug", 404, NO_ARTICLE, by="ann", sends=SENT),
        Step("DELETE /articles/unknown-slug", 404, NO_ARTICLE, by="ann"),
        *remove("ann", "first", "second"),
        Step(
            "POST /articles", 422, errors(title=BLANK, description=BLANK, body=BLANK), by="ann", sends={"article": {}}
        ),
        refused(title="", body=""),
        Step("GET /articles?author={ann}", 200, articles()),
    ),
)

SLUGS = Scenario(
    "a new title gives a new slug",
    ("ann",),
    (
        *registered("ann"),
        publish("ann", TITLE, keeps="slug"),
        Step("GET /articles/{slug}", 200, article(slug="{slug}"), keeps=TIMES),
        change(article(title=TITLE, slug="{slug}"), title=TITLE),
        Step(
            "PUT /articles/{slug}",
            200,
            article(title="Renamed", slug=other_than("{slug}"), createdAt="{created}"),
            by="ann",
            sends={"article": {"title": "Renamed"}},
            keeps={"new": "article.slug"},
        ),
        Step("GET /articles/{slug}", 404, NO_ARTICLE),
        Step("GET /articles/{new}", 200, article(title="Renamed", slug="{new}", body=f"Text of {TITLE}")),
        *remove("ann", "new"),
    ),
)

TAGS = Scenario(
    "tags",
    ("ann",),
    (
        *registered("ann"),
        publish("ann", "Tagged {ann}", keeps="slug", tags=["hot_{ann}", "testing_{ann}"]),
        Step("GET /tags", 200, {"tags": with_each_once("hot_{ann}", "testing_{ann}")}),
        *remove("ann", "slug"),
        # In the order in which they were sent; and one that two articles have is one tag.
        publish("ann", "First {ann}", keeps="first", tags=["zebra_{ann}", "ant_{ann}"]),
        publish("ann", "Second {ann}", keeps="second", tags=["ant_{ann}"]),
        Step("GET /tags", 200, {"tags": with_each_once("zebra_{ann}", "ant_{ann}")}),
        Step("GET /articles?tag=ant_{ann}", 200, articles(card(slug="{second}"), card(slug="{first}"))),
        Step("GET /articles?tag=ant_{ann}&author=nobody", 200, articles()),
        *remove("ann", "first", "second"),
    ),
)


def page(query: str, *slugs: str, count: int) -> Step:
    """A page of the author's articles."""
    shown = articles(*(card(slug=f"{{{slug}}}") for slug in slugs), count=count)
    return Step(f"GET /articles?author={{ann}}{query}", 200, shown)


PAGINATION = Scenario(
    "pagination",
    ("ann",),
    (
        *registered("ann"),
        publish("ann", "Page 1 {ann}", keeps="slug1"),
        publish("ann", "Page 2 {ann}", keeps="slug2"),
        page("&limit=1", "slug2", count=2),
        page("&limit=1&offset=1", "slug1", count=2),
        page("&limit=1&offset=2", count=2),
        page("&offset=1", "slug1", count=2),
        *(publish("ann", f"Page {number} {{ann}}", keeps=f"slug{number}") for number in range(3, 22)),
        page("", *(f"slug{number}" for number in range(21, 1, -1)), count=21),
        page("&limit=21", *(f"slug{number}" for number in range(21, 0, -1)), count=21),
        *remove("ann", *(f"slug{number}" for number in range(1, 22))),
    ),
)

SCENARIOS = (ARTICLES, ERRORS_ARTICLES, SLUGS, TAGS, PAGINATION)
