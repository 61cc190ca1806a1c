"""What depends on who asks: profiles and follows, the feed, favorites."""

from typing import Any

from tests.acceptance.conduit.steps import (
    NO_ARTICLE,
    NO_PROFILE,
    NO_TOKEN,
    Scenario,
    Step,
    article,
    articles,
    card,
    comment,
    comments,
    person,
    profile,
    publish,
    registered,
    remove,
)


def follow(who: str, *, status: int = 200, shows: Any = None, whom: str = "{celeb}") -> Step:
    """Somebody follows a user."""
    shown = profile("celeb", following=True) if shows is None else shows
    return Step(f"POST /profiles/{whom}/follow", status, shown, by=who)


def unfollow(who: str) -> Step:
    """Somebody follows a user no longer."""
    return Step("DELETE /profiles/{celeb}/follow", 200, profile("celeb"), by=who)


PROFILES = Scenario(
    "profiles",
    ("ann", "celeb"),
    (
        *registered("ann", "celeb"),
        Step("GET /profiles/{celeb}", 200, profile("celeb")),
        Step("GET /profiles/{celeb}", 200, profile("celeb"), by="ann"),
        follow("ann"),
        unfollow("ann"),
        Step("GET /profiles/{celeb}", 200, profile("celeb"), by="ann"),
        # Following twice is following; not following is no mistake; each sees what he does himself.
        follow("ann"),
        follow("ann"),
        Step("GET /profiles/{celeb}", 200, profile("celeb", following=True), by="ann"),
        Step("GET /profiles/{celeb}", 200, profile("celeb"), by="celeb"),
        Step("GET /profiles/{celeb}", 200, profile("celeb")),
        Step("GET /profiles/{ann}", 200, profile("ann"), by="celeb"),
        unfollow("ann"),
        unfollow("ann"),
    ),
)

ERRORS_PROFILES = Scenario(
    "errors_profiles",
    ("ann",),
    (
        Step("GET /profiles/unknown-user", 404, NO_PROFILE),
        Step("POST /profiles/unknown-user/follow", 401, NO_TOKEN),
        Step("DELETE /profiles/unknown-user/follow", 401, NO_TOKEN),
        *registered("ann"),
        Step("POST /profiles/unknown-user/follow", 404, NO_PROFILE, by="ann"),
        Step("DELETE /profiles/unknown-user/follow", 404, NO_PROFILE, by="ann"),
    ),
)

FOLLOWED = person("celeb", following=True)
FIRST = card(slug="{first}", author=FOLLOWED)
SECOND = card(slug="{second}", author=FOLLOWED)

FEED = Scenario(
    "feed",
    ("ann", "celeb"),
    (
        *registered("ann", "celeb"),
        Step("GET /articles/feed", 200, articles(), by="ann"),
        follow("ann"),
        publish("celeb", "News 1 {celeb}", keeps="first"),
        publish("celeb", "News 2 {celeb}", keeps="second"),
        Step("GET /articles/feed", 200, articles(SECOND, FIRST), by="ann"),
        Step("GET /articles/feed?limit=1", 200, articles(SECOND, count=2), by="ann"),
        Step("GET /articles/feed?limit=1&offset=1", 200, articles(FIRST, count=2), by="ann"),
        # The feed has articles of those whom one follows, not one's own.
        publish("ann", "Own {ann}", keeps="own"),
        Step("GET /articles/feed", 200, articles(SECOND, FIRST), by="ann"),
        Step("GET /articles/feed", 200, articles(), by="celeb"),
        # An author is followed in lists and by a single article, for the follower only.
        Step("GET /articles?author={celeb}", 200, articles(SECOND, FIRST), by="ann"),
        Step("GET /articles/{first}", 200, article(author=FOLLOWED), by="ann"),
        Step("GET /articles/{first}", 200, article(author=person("celeb"))),
        *remove("celeb", "first", "second"),
        unfollow("ann"),
        *remove("ann", "own"),
    ),
)

COMMENTED = Scenario(
    "comments of those whom one follows",
    ("ann", "celeb"),
    (
        *registered("ann", "celeb"),
        follow("ann"),
        publish("ann", "Talk {ann}", keeps="slug"),
        Step(
            "POST /articles/{slug}/comments",
            201,
            comment(body="Hello", author=person("celeb")),
            by="celeb",
            sends={"comment": {"body": "Hello"}},
        ),
        Step("GET /articles/{slug}/comments", 200, comments({"body": "Hello", "author": FOLLOWED}), by="ann"),
        Step("GET /articles/{slug}/comments", 200, comments({"body": "Hello", "author": person("celeb")})),
        *remove("ann", "slug"),
    ),
)


def single(*, favorited: bool, count: int) -> dict[str, Any]:
    """The article with its favorites."""
    full = {
        "slug": "{slug}",
        "title": "Liked {ann}",
        "description": "About Liked {ann}",
        "body": "Text of Liked {ann}",
        "tagList": [],
        "author": person("ann"),
    }
    return article(**full, favorited=favorited, favoritesCount=count)


def listed(*, favorited: bool, count: int) -> dict[str, Any]:
    """The article in a list."""
    return articles(card(slug="{slug}", author=person("ann"), favorited=favorited, favoritesCount=count))


def favorite(who: str, *, count: int) -> Step:
    """Somebody favorites the article."""
    return Step("POST /articles/{slug}/favorite", 200, single(favorited=True, count=count), by=who)


def unfavorite(who: str, *, count: int) -> Step:
    """Somebody favorites the article no longer."""
    return Step("DELETE /articles/{slug}/favorite", 200, single(favorited=False, count=count), by=who)


FAVORITES = Scenario(
    "favorites",
    ("ann", "bob"),
    (
        *registered("ann"),
        publish("ann", "Liked {ann}", keeps="slug"),
        favorite("ann", count=1),
        Step("GET /articles/{slug}", 200, single(favorited=True, count=1), by="ann"),
        Step("GET /articles?favorited={ann}", 200, listed(favorited=False, count=1)),
        Step("GET /articles?favorited={ann}", 200, listed(favorited=True, count=1), by="ann"),
        unfavorite("ann", count=0),
        Step("GET /articles/{slug}", 200, single(favorited=False, count=0), by="ann"),
        # Twice is once; each reader counts; and an article with favorites and comments can be deleted.
        *registered("bob"),
        unfavorite("bob", count=0),
        favorite("bob", count=1),
        favorite("bob", count=1),
        favorite("ann", count=2),
        Step("GET /articles?favorited={bob}", 200, listed(favorited=True, count=2), by="ann"),
        Step("GET /articles?favorited=nobody", 200, articles()),
        unfavorite("ann", count=1),
        Step("GET /articles?favorited={bob}", 200, listed(favorited=False, count=1), by="ann"),
        Step(
            "POST /articles/{slug}/comments",
            201,
            comment(body="Nice", author=person("bob")),
            by="bob",
            sends={"comment": {"body": "Nice"}},
        ),
        *remove("ann", "slug"),
        Step("POST /articles/{slug}/favorite", 404, NO_ARTICLE, by="bob"),
        Step("GET /articles?favorited={bob}", 200, articles()),
    ),
)

SCENARIOS = (PROFILES, ERRORS_PROFILES, FEED, COMMENTED, FAVORITES)
