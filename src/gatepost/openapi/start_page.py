"""The page at `/`: what is served, who may, how to sign in, and where to read more. For people who have just started.

Made at the first request. It is a map of the app for its developers; in production it is there only where a setting
asks for it, and shows what everybody may call.
"""

import html
import json
import shlex
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from string import Template
from typing import NamedTuple

from gatepost.actor import anonymous
from gatepost.declaring.info import Info
from gatepost.gateway.pages import HTMLPage
from gatepost.operations import Operation

_TEMPLATE = Path(__file__).parent / "start_page.html"

_DESCRIPTION = "An API by Gatepost."

_ADDRESS = "https://address.invalid"
"""Stands in the page for the address that the client has called."""


class SignInExample(NamedTuple):
    """How users sign in: the path, and e-mail and password of a user to show."""

    path: str
    user: tuple[str, str] | None = None

    @property
    def command(self) -> str:
        """The command that signs this user in."""
        email, password = self.user or ("you@example.com", "...")
        body = json.dumps({"email": email, "password": password})
        return f"curl -s {_ADDRESS}{self.path} -H 'content-type: application/json' -d {shlex.quote(body)}"


class StartPage:
    """The page of one app. `links` lead to what else there is, by their label; without `shows_policies` it lists what
    everybody may call."""

    def __init__(
        self,
        info: Info,
        operations: Sequence[Operation],
        *,
        links: dict[str, str],
        sign_in: SignInExample | None,
        shows_policies: bool,
    ) -> None:
        self._info = info
        self._links = links
        self._sign_in = sign_in
        self._shows_policies = shows_policies
        self._operations = [each for each in operations if shows_policies or each.allow.decide(anonymous) is not False]

    def body(self, address: str) -> bytes:
        """The page, for a client that has called this address, such as `http://127.0.0.1:8000`."""
        return self.page.response.body.replace(_ADDRESS.encode(), html.escape(address).encode())

    @cached_property
    def page(self) -> HTMLPage:
        """The page for no address yet."""
        links = "".join(
            f'<a href="{html.escape(path)}">{html.escape(label)}</a>' for label, path in self._links.items()
        )
        text = Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
            title=html.escape(self._info.title),
            description=html.escape(self._info.description or _DESCRIPTION),
            links=links,
            sections="\n".join(self._sections()),
        )
        return HTMLPage(text, location="/")

    def _sections(self) -> Iterable[str]:
        first = next((each for each in self._operations if _is_open_list(each)), None)
        if first is not None:
            yield f"<h2>A first request</h2>{_command(f'curl -s {_ADDRESS}{first.path}')}"
        if self._sign_in is not None:
            yield f"<h2>Sign in</h2>{_command(self._sign_in.command)}{_HOW_TO_GO_ON}"
        yield f"<h2>What is served</h2>{self._table()}" if self._operations else _NOTHING

    def _table(self) -> str:
        heads = ("Path", "Method", "Who may")[: 3 if self._shows_policies else 2]
        head = "".join(f'<th scope="col">{each}</th>' for each in heads)
        rows = "".join(self._rows())
        return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'

    def _rows(self) -> Iterable[str]:
        for operation in self._operations:
            who = f"<td><code>{html.escape(repr(operation.allow))}</code></td>" if self._shows_policies else ""
            path = f"<code>{html.escape(operation.path)}</code>"
            if _is_open_list(operation):
                path = f'<a href="{html.escape(operation.path)}">{path}</a>'
            yield f'<tr><th scope="row">{path}</th><td>{operation.method}</td>{who}</tr>'


_HOW_TO_GO_ON = (
    '<p class="quiet">The response has an access token. Send it along: '
    "<code>-H 'authorization: Bearer ...'</code></p>"
)

_NOTHING = "<h2>What is served</h2><p>No resource yet. Declare one: <code>App(Resource(Book, read=anyone))</code>.</p>"


def start_page_policy() -> str:
    """The policy that admits the script and the style of the page, whatever is on it."""
    return HTMLPage(_TEMPLATE.read_text(encoding="utf-8"), location="/").policy


def _is_open_list(operation: Operation) -> bool:
    is_readable = operation.method == "GET" and "{" not in operation.path
    return is_readable and operation.allow.decide(anonymous) is not False


def _command(text: str) -> str:
    return f'<div class="command"><pre>{html.escape(text)}</pre><button type="button">Copy</button></div>'
