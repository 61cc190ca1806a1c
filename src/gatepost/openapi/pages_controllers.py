"""The pages for people, `/docs` and `/`, as an application would write them: public names only, beside the pages."""

from functools import cache

from gatepost import Call, Controller, NotFound, Response, anyone, get
from gatepost.openapi.docs_page import docs_file, docs_page
from gatepost.openapi.pages import Pages
from gatepost.openapi.start_page import start_page_policy

_POLICY = "content-security-policy"


@cache
def docs_controller() -> type[Controller]:
    """What serves Swagger UI on the document of the app, with its files."""
    policy = docs_page("", None).policy

    class DocsPage(Controller):
        """The page at `/docs`."""

        path = "docs"
        pages: Pages

        @get("", allow=anyone, document=False, headers={_POLICY: policy}, cache_control="no-cache")
        async def docs(self) -> Response:
            """Show what the API takes and answers, try it, and sign in."""
            return self.pages.docs

        @get("/{name}", allow=anyone, document=False)
        async def file(self, name: str) -> Response:
            """A file of the page."""
            found = docs_file(name)
            if found is None:
                raise NotFound("not_found", "The page has no file of this name.")
            return found

    return DocsPage


@cache
def start_controller() -> type[Controller]:
    """What serves the page that lists what is served."""
    policy = start_page_policy()

    class StartPage(Controller):
        """The page at `/`."""

        pages: Pages

        @get("", allow=anyone, document=False, headers={_POLICY: policy}, cache_control="no-cache")
        async def start(self, call: Call) -> Response:
            """Show what is served, who may, and how to sign in."""
            host = call.header("host") or "localhost"
            return self.pages.start(f"{call.scope['scheme']}://{host}")

    return StartPage
