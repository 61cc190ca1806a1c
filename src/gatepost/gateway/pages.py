"""HTML pages of our own, made at start: the response, and the policy that admits exactly what is in it.

Inline scripts and styles are admitted by their SHA-256 (CSP level 3, section 2.3.1), so that nothing which gets into a
page later runs, and no nonce has to be made per response. Pages of others are not made here: see `header_profiles.py`.
"""

import base64
import hashlib
from html.parser import HTMLParser

from gatepost.call import Response
from gatepost.declaring.headers import Headers
from gatepost.errors import ConfigurationError

Attributes = list[tuple[str, str | None]]

# By the element: the directive of its policy, and the attribute that names a file of our own instead of text.
DIRECTIVES = {"script": ("script-src", "src"), "style": ("style-src", ""), "link": ("style-src", "href")}


class HTMLPage:
    """A page: `response` is sent as it is, `headers` are those of its route, `RouteRules(..., headers=page.headers)`.

    Scripts and styles are inline, or files of the same origin, named by a path. Raises `ConfigurationError` for what
    the policy would silently stop: handlers and styles in attributes, and files from elsewhere.
    """

    def __init__(self, html: str, *, location: str) -> None:
        html = html.replace("\r\n", "\n")  # as the browser reads it before it takes its own digest
        reader = _Reader(location)
        reader.feed(html)
        reader.close()
        self.policy = "; ".join(
            (
                "default-src 'none'",
                *(f"{name} {' '.join(sorted(sources))}" for name, sources in sorted(reader.sources.items()) if sources),
                *("connect-src 'self'", "font-src 'self'", "img-src 'self' data:"),
                *("base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"),
            )
        )
        self.headers = Headers({"content-security-policy": self.policy}, location=location)
        self.response = Response(200, html.encode(), ((b"content-type", b"text/html; charset=utf-8"),))


class _Reader(HTMLParser):
    """Collects the sources of scripts and styles by directive."""

    def __init__(self, location: str) -> None:
        super().__init__(convert_charrefs=False)
        self._location = location
        self._inline: str | None = None
        self._text = ""
        self.sources: dict[str, set[str]] = {"script-src": set(), "style-src": set()}

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        for name, _ in attrs:
            if name == "style" or name.startswith("on"):
                self._refuse(f"<{tag} {name}=...>", "Move it into <style> or <script>.")
        directive, attribute = DIRECTIVES.get(tag, ("", ""))
        given = dict(attrs)
        if not directive or (tag == "link" and given.get("rel") != "stylesheet"):
            return
        file = given.get(attribute)
        if file is None:
            self._inline, self._text = directive, ""
        elif file.startswith("/") and not file.startswith("//"):
            self.sources[directive].add("'self'")
        else:
            self._refuse(f"<{tag} {attribute}={file}>", "Serve the file from a path of this server.")

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if self._inline is not None:
            digest = base64.b64encode(hashlib.sha256(self._text.encode()).digest()).decode()
            self.sources[self._inline].add(f"'sha256-{digest}'")
            self._inline = None

    def _refuse(self, what: str, hint: str) -> None:
        raise ConfigurationError(
            f"{what} would be stopped by the page's own policy.", location=self._location, hint=hint
        )
