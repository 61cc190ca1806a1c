"""The requests of the older collection, for Postman, in its order and with its headers: `Content-Type` without a body,
and a body where none is asked for. Where it contradicts the newer one (articles in lists have no `body`), the newer
one is right."""

from tests.acceptance.conduit.expectations import COUNT, Each, Kept, at_least, with_each_once
from tests.acceptance.conduit.specification import CARD
from tests.acceptance.conduit.steps import (
    Scenario,
    Step,
    all_articles,
    article,
    articles,
    card,
    comment,
    comments,
    login,
    me,
    person,
    profile,
    publish,
    register,
    registered,
    remove,
    update,
    user,
)

TAGS = ["training_{john}", "dragons_{john}"]
CARDS = articles(card(slug="{slug}", author=person("john"), tagList=with_each_once(*TAGS)))
LIKED = articles(card(slug="{slug}", favorited=True, favoritesCount=1))
SAID = {"id": Kept("comment"), "body": "Thank you so much", "author": person("john")}

POSTMAN = Scenario(
    "postman",
    ("john", "celeb"),
    (
        register("john", shows=user("john")),
        login("john", shows=user("john")),
        login("john", shows=user("john"), keeps={"john_token": "user.token"}),
        me("john", user("john")),
        update("john", user("john"), email="{john}@example.test"),
        Step("GET /articles", 200, {"articles": Each(CARD, least=0), "articlesCount": COUNT}),
        Step("GET /articles?author=johnjacob", 200, articles()),
        Step("GET /articles?favorited={john}", 200, articles()),
        Step("GET /articles?tag=dragons_{john}", 200, articles()),
        publish("john", "How to train {john}", keeps="slug", tags=TAGS),
        Step("GET /articles/feed", 200, articles(), by="john"),
        Step("GET /articles", 200, all_articles(at_least(1)), by="john"),
        Step("GET /articles", 200, all_articles(at_least(1)), by="john"),
        Step("GET /articles?author={john}", 200, CARDS, by="john"),
        Step("GET /articles?author={john}", 200, CARDS, by="john"),
        Step("GET /articles/{slug}", 200, article(slug="{slug}"), by="john"),
        Step("GET /articles?tag=dragons_{john}", 200, CARDS, by="john"),
        Step(
            "PUT /articles/{slug}",
            200,
            article(slug="{slug}", body="With two hands"),
            by="john",
            sends={"article": {"body": "With two hands"}},
        ),
        Step("POST /articles/{slug}/favorite", 200, article(favorited=True, favoritesCount=1), by="john"),
        Step("GET /articles?favorited={john}", 200, LIKED, by="john"),
        Step("GET /articles?favorited={john}", 200, LIKED, by="john"),
        Step("DELETE /articles/{slug}/favorite", 200, article(favorited=False, favoritesCount=0), by="john"),
        Step(
            "POST /articles/{slug}/comments",
            201,
            comment(body="Thank you so much"),
            by="john",
            sends={"comment": {"body": "Thank you so much"}},
            keeps={"comment": "comment.id"},
        ),
        Step("GET /articles/{slug}/comments", 200, comments(SAID), by="john"),
        Step("GET /articles/{slug}/comments", 200, comments(SAID)),
        Step("DELETE /articles/{slug}/comments/{comment}", 204, by="john"),
        *remove("john", "slug"),
        *registered("celeb"),
        Step("GET /profiles/{celeb}", 200, profile("celeb"), by="john"),
        Step(
            "POST /profiles/{celeb}/follow",
            200,
            profile("celeb", following=True),
            by="john",
            sends={"user": {"email": "{john}@example.test"}},
        ),
        Step("DELETE /profiles/{celeb}/follow", 200, profile("celeb"), by="john"),
        Step("GET /tags", 200, {"tags": with_each_once()}),
    ),
    headers={"Content-Type": "application/json", "X-Requested-With": "XMLHttpRequest"},
)

SCENARIOS = (POSTMAN,)
