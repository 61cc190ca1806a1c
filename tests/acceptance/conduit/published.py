"""Which requests the published collections make, in order: the newer one for Hurl (`specs/api/hurl`, one scenario a
file) with the status that it asserts, and the older one for Postman, which asserts few. `test_tables.py` finds each of
them in our scenarios."""

ME = "GET /user 200 | PUT /user 200"
ARTICLE = "POST /users 201 | POST /articles 201"
LIST, ONE = "GET /articles 200", "GET /articles/{slug} 200"
COMMENT, COMMENTS = "POST /articles/{slug}/comments 201", "GET /articles/{slug}/comments 200"
DELETE, DELETE_COMMENT = "DELETE /articles/{slug} 204", "DELETE /articles/{slug}/comments/{id} 204"
PROFILE = "GET /profiles/{username} 200"
FOLLOW, UNFOLLOW = "POST /profiles/{username}/follow 200", "DELETE /profiles/{username}/follow 200"

HURL = {
    "auth": f"POST /users 201 | POST /users/login 200 | {ME} | {ME} | GET /user 200 | PUT /user 200 | PUT /user 200"
    f" | GET /user 200 | PUT /user 200 | PUT /user 200 | {ME} | {ME} | PUT /user 200 | {ME} | GET /user 200",
    "errors_auth": "POST /users 422 | POST /users 422 | POST /users 422 | POST /users 201 | POST /users 409"
    " | POST /users 409 | POST /users/login 422 | POST /users/login 422 | POST /users/login 401 | GET /user 401"
    " | PUT /user 401 | PUT /user 422 | PUT /user 422 | PUT /user 422 | PUT /user 422",
    "articles": f"{ARTICLE} | {LIST} | {LIST} | {LIST} | {LIST} | {LIST} | {LIST} | {ONE} | PUT /articles/{{slug}} 200"
    f" | {ONE} | PUT /articles/{{slug}} 200 | PUT /articles/{{slug}} 200 | {ONE} | PUT /articles/{{slug}} 422"
    f" | {DELETE} | GET /articles/{{slug}} 404",
    "errors_articles": "POST /articles 401 | GET /articles/{slug} 404 | PUT /articles/{slug} 401"
    " | DELETE /articles/{slug} 401 | GET /articles/feed 401 | POST /articles/{slug}/favorite 401"
    " | DELETE /articles/{slug}/favorite 401 | POST /users 201 | POST /articles 422 | POST /articles 422"
    " | POST /articles 422 | POST /articles 201 | POST /articles 201 | PUT /articles/{slug} 404"
    " | POST /articles/{slug}/favorite 404 | DELETE /articles/{slug}/favorite 404 | PUT /articles/{slug} 404"
    f" | DELETE /articles/{{slug}} 404 | {DELETE} | {DELETE}",
    "errors_authorization": "POST /users 201 | POST /users 201 | POST /articles 201 | DELETE /articles/{slug} 403"
    f" | PUT /articles/{{slug}} 403 | {COMMENT} | DELETE /articles/{{slug}}/comments/{{id}} 403 | {COMMENTS}"
    f" | {DELETE}",
    "comments": f"{ARTICLE} | {COMMENT} | {COMMENTS} | {COMMENTS} | {DELETE_COMMENT} | {COMMENTS} | {COMMENT}"
    f" | {COMMENT} | {COMMENTS} | {DELETE_COMMENT} | {COMMENTS} | {DELETE}",
    "errors_comments": "POST /articles/{slug}/comments 401 | DELETE /articles/{slug}/comments/{id} 401"
    f" | {ARTICLE} | POST /articles/{{slug}}/comments 422 | POST /articles/{{slug}}/comments 404"
    " | GET /articles/{slug}/comments 404 | DELETE /articles/{slug}/comments/{id} 404"
    f" | DELETE /articles/{{slug}}/comments/{{id}} 404 | {DELETE}",
    "errors_profiles": "GET /profiles/{username} 404 | POST /profiles/{username}/follow 401"
    " | DELETE /profiles/{username}/follow 401 | POST /users 201 | POST /profiles/{username}/follow 404"
    " | DELETE /profiles/{username}/follow 404",
    "profiles": f"POST /users 201 | POST /users 201 | {PROFILE} | {PROFILE} | {FOLLOW} | {UNFOLLOW} | {PROFILE}",
    "favorites": f"{ARTICLE} | POST /articles/{{slug}}/favorite 200 | {ONE} | {LIST} | {LIST}"
    f" | DELETE /articles/{{slug}}/favorite 200 | {ONE} | {DELETE}",
    "feed": f"POST /users 201 | POST /users 201 | GET /articles/feed 200 | {FOLLOW} | POST /articles 201"
    " | POST /articles 201 | GET /articles/feed 200 | GET /articles/feed 200 | GET /articles/feed 200"
    f" | {DELETE} | {DELETE} | {UNFOLLOW}",
    "pagination": f"{ARTICLE} | POST /articles 201 | {LIST} | {LIST} | {DELETE} | {DELETE}",
    "tags": f"{ARTICLE} | GET /tags 200 | {DELETE}",
}

POSTMAN = {
    "postman": f"POST /users 201 | POST /users/login 200 | POST /users/login 200 | {ME} | {LIST} | {LIST} | {LIST}"
    f" | {LIST} | POST /articles 201 | GET /articles/feed 200 | {LIST} | {LIST} | {LIST} | {LIST} | {ONE} | {LIST}"
    f" | PUT /articles/{{slug}} 200 | POST /articles/{{slug}}/favorite 200 | {LIST} | {LIST}"
    f" | DELETE /articles/{{slug}}/favorite 200 | {COMMENT} | {COMMENTS} | {COMMENTS} | {DELETE_COMMENT} | {DELETE}"
    f" | POST /users 201 | {PROFILE} | {FOLLOW} | {UNFOLLOW} | GET /tags 200",
}

COUNTS = {"hurl": 149, "postman": 32}
"""How many requests there are."""


def requests_of(collection: dict[str, str]) -> dict[str, list[str]]:
    """Each request and status of a collection, by scenario."""
    return {name: requests.split(" | ") for name, requests in collection.items()}
