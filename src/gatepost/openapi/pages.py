"""`Pages`: the two pages for people, `/docs` and `/`, made at their first request and kept as they are sent."""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from gatepost.call import Response
from gatepost.declaring.info import Info
from gatepost.openapi.docs_page import TokenSignIn, docs_page
from gatepost.openapi.start_page import SignInExample, StartPage
from gatepost.operations import Operation

if TYPE_CHECKING:
    from gatepost.openapi.described import DescribedAPI


class PageOptions(NamedTuple):
    """What the pages of an app depend on besides what is served: whether it is documented, where and as whom users may
    sign in, and whether policies are shown."""

    is_documented: bool
    sign_in: TokenSignIn | None
    demo_user: tuple[str, str] | None
    shows_policies: bool


class Pages:
    """The pages of one app. `describe` gives what it serves, which is known once the app is composed."""

    def __init__(self, info: Info, describe: "Callable[[], DescribedAPI]", options: PageOptions) -> None:
        self._info = info
        self._describe = describe
        self._options = options

    @cached_property
    def docs(self) -> Response:
        """The page at `/docs`."""
        return docs_page(self._info.title, self._options.sign_in).response

    def start(self, address: str) -> Response:
        """The page at `/`, for a client that has called this address."""
        return replace(self._start.page.response, body=self._start.body(address))

    @cached_property
    def _start(self) -> StartPage:
        options = self._options
        sign_in = None if options.sign_in is None else SignInExample(options.sign_in.path, options.demo_user)
        documents = {"API documentation": "/docs", "OpenAPI": "/openapi.json"} if options.is_documented else {}
        return StartPage(
            self._info,
            [*_documented(self._describe())],
            links={**documents, "Readiness": "/readyz"},
            sign_in=sign_in,
            shows_policies=options.shows_policies,
        )


def _documented(api: "DescribedAPI") -> Iterator[Operation]:
    """The operations of the app that its document describes, without the probes."""
    yield from (item.operation for item in api.verbs)
    for item in api.endpoints:
        if item.bound.method.route.document and not item.bound.method.route.probe:
            yield item.operation
