"""The pages of problems, `/problems/<code>`: what the `type` of a problem leads to, for people.

Described in `error_codes.py` and by what endpoints declare. Each is made when somebody first reads it, because making
all of them takes as long as the rest of a start; from then on it is a response that is sent as it is. `problem_types`
says which `type` the gate writes. RFC 9457, section 3.1.1.
"""

import html
import re
from collections.abc import Iterable, Mapping

import msgspec

from gatepost.call import Call, Endpoint, Response
from gatepost.declaring.policies import anyone
from gatepost.error_codes import CODES
from gatepost.errors import ConfigurationError, NotFound, Problem
from gatepost.gateway.pages import HTMLPage
from gatepost.operations import Operation, RouteRules
from gatepost.sources import location_of

PATH = "/problems"

CACHE_CONTROL = b"public, max-age=3600"

_CODE = re.compile(r"\w[\w.~-]*", re.ASCII)
"""Codes that are one segment of a path as they stand."""

_STYLE = "body{font:1rem/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1rem}code{font-size:.95em}"


class ProblemDescription(msgspec.Struct, frozen=True):
    """What a page says. `meanings` has one sentence, or one of each endpoint that raises the problem."""

    status: int
    title: str
    meanings: tuple[str, ...]
    when: str = ""
    advice: str = ""


def gatepost_problems() -> dict[str, ProblemDescription]:
    """The descriptions of Gatepost's own codes."""
    return {
        code: ProblemDescription(item.problem.status, item.problem.title, (item.meaning,), item.when, item.advice)
        for code, item in CODES.items()
    }


def declared_problems(problems: Iterable[Problem]) -> dict[str, ProblemDescription]:
    """The descriptions of what endpoints raise, by code; those of Gatepost's own codes have their pages already.

    Raises `ConfigurationError` for a code that stands for two statuses, or that cannot stand in a path.
    """
    found: dict[str, ProblemDescription] = {}
    for problem in problems:
        describe(problem, found)
    return found


def describe(problem: Problem, found: dict[str, ProblemDescription], location: str | None = None) -> None:
    """Add a problem to the descriptions of what endpoints raise. Raises `ConfigurationError` as above; `location` is
    the endpoint."""
    own = CODES.get(problem.code)
    known = found.get(problem.code)
    _check(problem, (own.problem.status if own else known.status if known else problem.status), location)
    if own is None:
        meanings = dict.fromkeys((*(known.meanings if known else ()), problem.detail))
        found[problem.code] = ProblemDescription(problem.status, problem.title, tuple(meanings))


def problem_types(codes: Iterable[str], base_url: str | None) -> dict[str, str]:
    """The `type` of each code: its page on this server, or below `base_url`."""
    base = PATH if base_url is None else base_url.rstrip("/")
    return {code: f"{base}/{code}" for code in codes}


class ProblemPages:
    """The pages of these problems, in one endpoint. All of them have one `policy`, because they have one style."""

    def __init__(self, descriptions: Mapping[str, ProblemDescription]) -> None:
        self._descriptions = descriptions
        self._responses: dict[str, Response] = {}
        page = _page(*next(iter(descriptions.items())))
        self.policy = page.policy
        self._rules = RouteRules(pattern=f"{PATH}/{{code}}", headers=page.headers)

    def endpoints(self) -> list[Endpoint]:
        """The endpoint, open to everybody and under the limits of the API."""
        source = location_of(self.get)
        operation = Operation(name="problem", method="GET", rules=self._rules, allow=anyone, source=source)
        return [Endpoint(operation, self.get)]

    async def get(self, call: Call) -> Response:
        """The page of a code. Raises `NotFound`."""
        code = call.path_values[0]
        response = self._responses.get(code)
        if response is None:
            item = self._descriptions.get(code)
            if item is None:
                raise NotFound("not_found", "There is no problem with this code.")
            response = msgspec.structs.replace(_page(code, item).response, cache_control=CACHE_CONTROL)
            self._responses[code] = response
        return response


def _check(problem: Problem, known_status: int, location: str | None) -> None:
    if _CODE.fullmatch(problem.code) is None:
        raise ConfigurationError(
            f"raises= has the code {problem.code!r}, which cannot stand in the path of its page.",
            location=location,
            hint="Write letters, digits and underscores.",
        )
    if known_status != problem.status:
        raise ConfigurationError(
            f"raises= has the code {problem.code!r} with the status {known_status} and with {problem.status}.",
            location=location,
            hint="A code means one thing: give one of them another code.",
        )


def _page(code: str, item: ProblemDescription) -> HTMLPage:
    return HTMLPage(_html(code, item), location=PATH)


def _html(code: str, item: ProblemDescription) -> str:
    sections = [("What it means", " ".join(item.meanings)), ("When", item.when), ("What to do", item.advice)]
    title = f"{item.status} {html.escape(item.title)}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(code)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><h1><code>{html.escape(code)}</code></h1><p>{title}</p>"
        + "".join(f"<h2>{heading}</h2><p>{_inline(text)}</p>" for heading, text in sections if text)
        + "</body></html>\n"
    )


def _inline(text: str) -> str:
    """Markdown as HTML: code, and of links their text, because they lead to pages that are not here."""
    text = html.escape(re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text), quote=False)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
