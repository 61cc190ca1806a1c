"""The page at `/docs`: Swagger UI on the document of this app, as its reader may see it.

Its files are vendored (`swagger_ui/`) and served from here, so that the page works offline and under a policy that
admits nothing from elsewhere. Made at the first request; each file is compressed once.
"""

import html
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from string import Template
from typing import NamedTuple

from gatepost.call import Response
from gatepost.gateway.codings import KeptBody
from gatepost.gateway.pages import HTMLPage

PATH = "/docs"
DOCUMENT = "/openapi.json"

_FOLDER = Path(__file__).parent
_JAVASCRIPT, _CSS = "text/javascript; charset=utf-8", "text/css; charset=utf-8"

FILES: Mapping[str, tuple[Path, str]] = {
    "swagger-ui-bundle.js": (_FOLDER / "swagger_ui/swagger-ui-bundle.js", _JAVASCRIPT),
    "swagger-ui.css": (_FOLDER / "swagger_ui/swagger-ui.css", _CSS),
    "docs.js": (_FOLDER / "docs.js", _JAVASCRIPT),
    "docs_accessibility.js": (_FOLDER / "docs_accessibility.js", _JAVASCRIPT),
    "docs.css": (_FOLDER / "docs.css", _CSS),
}
"""The files of the page by the last segment of their path, with their types."""

_CACHING = "public, max-age=3600"

_SIGN_IN = (
    '<form id="sign-in">'
    '<label><span>E-mail</span><input name="email" type="email" placeholder="E-mail" autocomplete="username" required>'
    "</label>"
    '<label><span>Password</span><input name="password" type="password" placeholder="Password" '
    'autocomplete="current-password" required></label>'
    '<button type="submit">Sign in</button><output></output><button type="button">Sign out</button>'
    "</form>"
)


class TokenSignIn(NamedTuple):
    """How the page signs users in: the path, the keys that lead to the token in the response, the security scheme that
    the token is for, and what stands before it in `Authorization`."""

    path: str
    envelope: str
    token: str
    security: str
    scheme: str


def docs_page(title: str, sign_in: TokenSignIn | None) -> HTMLPage:
    """The page of an app; without `sign_in` users paste their credentials into the dialog of Swagger UI."""
    data = {"document": DOCUMENT}
    if sign_in is not None:
        data |= {
            "login": sign_in.path,
            "envelope": sign_in.envelope,
            "token": sign_in.token,
            "security": sign_in.security,
            "scheme": sign_in.scheme,
        }
    text = Template((_FOLDER / "docs_page.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(title),
        sign_in="" if sign_in is None else _SIGN_IN,
        data=" ".join(f'data-{name}="{html.escape(value)}"' for name, value in data.items()),
    )
    return HTMLPage(text, location=PATH)


def docs_file(name: str) -> Response | None:
    """A file of the page; None where it has no file of this name."""
    return _file(name) if name in FILES else None


@cache
def _file(name: str) -> Response:
    file, content_type = FILES[name]
    return Response.binary(KeptBody(file.read_bytes()), content_type, cache_control=_CACHING)
