"""Registration, sign-in, and the signed-in user."""

from tests.acceptance.conduit.expectations import other_than
from tests.acceptance.conduit.steps import (
    BLANK,
    NO_TOKEN,
    NOT_BLANK,
    TAKEN,
    Scenario,
    Step,
    errors,
    login,
    me,
    profile,
    register,
    registered,
    update,
    user,
)

BIO, PHOTO = "Writes about tests", "https://example.test/photo.jpg"
RENAMED = {"username": "{ann}_renamed", "email": "{ann}_renamed@example.test"}

AUTH = Scenario(
    "auth",
    ("ann",),
    (
        register("ann", shows=user("ann")),
        login("ann", shows=user("ann"), keeps={"ann_token": "user.token"}),
        me("ann", user("ann")),
        update("ann", user("ann", bio=BIO), bio=BIO),
        me("ann", user("ann", bio=BIO)),
        update("ann", user("ann"), bio=""),
        me("ann", user("ann")),
        update("ann", user("ann", bio="For a moment"), bio="For a moment"),
        update("ann", user("ann"), bio=None),
        me("ann", user("ann")),
        update("ann", user("ann", bio=BIO), bio=BIO),
        update("ann", user("ann", bio=BIO, image=PHOTO), image=PHOTO),
        me("ann", user("ann", bio=BIO, image=PHOTO)),
        update("ann", user("ann", bio=BIO), image=""),
        me("ann", user("ann", bio=BIO)),
        update("ann", user("ann", bio=BIO, image=PHOTO), image=PHOTO),
        update("ann", user("ann", bio=BIO), image=None),
        me("ann", user("ann", bio=BIO)),
        update("ann", user("ann", bio=BIO, **RENAMED), keeps={"ann_token": "user.token"}, **RENAMED),
        me("ann", user("ann", bio=BIO, **RENAMED)),
    ),
)

ERRORS_AUTH = Scenario(
    "errors_auth",
    ("ann", "bob"),
    (
        register("bob", 422, shows=errors(username=BLANK), username=""),
        register("bob", 422, shows=errors(email=BLANK), email=""),
        register("bob", 422, shows=errors(password=BLANK), password=""),
        *registered("ann"),
        register("bob", 409, shows=errors(username=TAKEN), username="{ann}"),
        register("bob", 409, shows=errors(email=TAKEN), email="{ann}@example.test"),
        login("ann", 422, shows=errors(email=BLANK), email=""),
        login("ann", 422, shows=errors(password=BLANK), password=""),
        login("ann", 401, shows=errors(credentials="invalid"), password="wrongpassword"),
        Step("GET /user", 401, NO_TOKEN),
        Step("PUT /user", 401, NO_TOKEN, sends={"user": {"bio": BIO}}),
        update("ann", errors(email=None), 422, email=""),
        update("ann", errors(username=None), 422, username=""),
        update("ann", errors(email=None), 422, email=None),
        update("ann", errors(username=None), 422, username=None),
        me("ann", user("ann")),
    ),
)

REGISTRATION = Scenario(
    "registration names every violation at once",
    ("ann", "bob"),
    (
        Step("POST /users", 422, errors(username=BLANK, email=BLANK, password=BLANK), sends={"user": {}}),
        register("bob", 422, shows=errors(username=BLANK, password=BLANK), username="", password=""),
        register("bob", 422, shows=errors(password=NOT_BLANK), password="short"),
        Step("POST /users/login", 422, errors(email=BLANK, password=BLANK), sends={"user": {}}),
        login("bob", 401, shows=errors(credentials="invalid")),
        *registered("ann", "bob"),
        # Nothing of a refused registration was written, and an e-mail address has no capital letters.
        register("bob", 409, shows=errors(email=TAKEN), username="{bob}_again", email="{bob}@EXAMPLE.test"),
        Step("GET /profiles/{bob}_again", 404, errors(profile="not found")),
    ),
)

CHANGES = Scenario(
    "changes of a user",
    ("ann", "bob"),
    (
        *registered("ann", "bob"),
        update("ann", errors(username=TAKEN), 409, username="{bob}"),
        update("ann", errors(email=TAKEN), 409, email="{bob}@example.test"),
        update("ann", user("ann"), username="{ann}", email="{ann}@example.test"),
        update("ann", user("ann", bio=BIO, image=PHOTO), bio=BIO, image=PHOTO),
        Step("GET /profiles/{ann}", 200, profile("ann", bio=BIO, image=PHOTO)),
        me("bob", user("bob")),
    ),
)

PASSWORDS = Scenario(
    "a new password ends every token",
    ("ann",),
    (
        *registered("ann"),
        login("ann", shows=user("ann"), keeps={"other_token": "user.token"}),
        update("ann", errors(password=BLANK), 422, password=""),
        update("ann", errors(password=NOT_BLANK), 422, password="short"),
        me("other", user("ann")),
        update(
            "ann",
            user("ann", token=other_than("{ann_token}")),
            keeps={"ann_token": "user.token"},
            password="another password",
        ),
        me("ann", user("ann")),
        Step("GET /user", 401, errors(token=None), by="other"),
        login("ann", 401, shows=errors(credentials="invalid")),
        login("ann", shows=user("ann"), password="another password"),
    ),
)

TOKENS = Scenario(
    "tokens that are none",
    (),
    tuple(
        Step(request, 401, errors(token=None), headers={"Authorization": credentials})
        for request in ("GET /user", "GET /articles/feed", "GET /articles")
        for credentials in ("Token not.a.token", "Token", "Basic YW5uOnBhc3N3b3Jk")
    ),
)

SCENARIOS = (AUTH, ERRORS_AUTH, REGISTRATION, CHANGES, PASSWORDS, TOKENS)
