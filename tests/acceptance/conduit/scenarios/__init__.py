"""The tables of requests."""

from tests.acceptance.conduit.scenarios import articles, comments, postman, readers, users

SCENARIOS = (*users.SCENARIOS, *articles.SCENARIOS, *comments.SCENARIOS, *readers.SCENARIOS, *postman.SCENARIOS)
