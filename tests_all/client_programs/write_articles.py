"""Conduit by its generated client: what is not in the page about clients."""

import sys

from conduit_client import AuthenticatedClient, Client
from conduit_client.api.articles import articles_create, articles_update
from conduit_client.api.conduit import conduit_articles, conduit_change_me, conduit_register
from conduit_client.models import (
    ArticleBody,
    ArticleCard,
    ArticleCardList,
    ArticleFullWrittenResponse,
    ArticlesCreateBody,
    ArticlesUpdateBody,
    ArticleUpdate,
    ChangedUser,
    ConduitChangeMeBody,
    ConduitRegisterBody,
    MeWrittenResponse,
    NewUser,
)

URL = sys.argv[1]

anonymous = Client(base_url=URL)
new = NewUser(email="py@conduit.example", password="correct horse battery", username="py")
registered = conduit_register.sync(client=anonymous, body=ConduitRegisterBody(new))
assert isinstance(registered, MeWrittenResponse), registered
author = AuthenticatedClient(base_url=URL, token=registered.user.token, prefix="Token")

article = ArticleBody(title="From Python", description="A client", body="Typed.", tag_list=["python"])
created = articles_create.sync(client=author, body=ArticlesCreateBody(article))
assert isinstance(created, ArticleFullWrittenResponse), created
articles_create.sync(client=author, body=ArticlesCreateBody(ArticleBody("Another", "None", "Such.", ["other"])))

listed = conduit_articles.sync(client=anonymous, tag="python", author="py", limit=5)
assert isinstance(listed, ArticleCardList), listed
cards = [card for card in listed.articles if isinstance(card, ArticleCard)]
print([card.title for card in cards], listed.articles_count)

updated = articles_update.sync(
    created.article.slug, client=author, body=ArticlesUpdateBody(ArticleUpdate(description="Changed"))
)
assert isinstance(updated, ArticleFullWrittenResponse), updated
print(updated.article.title, updated.article.description)

for change in (ChangedUser(bio="Writes.", image="https://conduit.example/py.png"), ChangedUser(bio=None)):
    me = conduit_change_me.sync(client=author, body=ConduitChangeMeBody(change))
    assert isinstance(me, MeWrittenResponse), me
    print(me.user.bio, me.user.image)

refused = articles_create.sync_detailed(client=author, body=ArticlesCreateBody(ArticleBody("", "Empty", "Title", [])))
print(int(refused.status_code), refused.parsed)
