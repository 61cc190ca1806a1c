"""What can be wrong with a configuration of HAProxy in front of Gatepost: health checks, retries, forwarded headers.

Outside the request path: for `gatepost doctor --haproxy`. Whether instances trust what HAProxy forwards, and how long
they drain, is not in its file: `cli/doctor_balancer.py` compares.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from gatepost.balancer.method_conditions import UnknownCondition, holds_for
from gatepost.balancer.sections import Directive, Section

READY_PATH = "/readyz"
WRITES = ("POST", "PUT", "PATCH", "DELETE")

Subject = Literal["health checks", "retries", "forwarded headers"]
_NEVER_SENT = frozenset({"none", "conn-failure", "0rtt-rejected"})
"""Reasons for a retry after which the request cannot have been carried out."""
_FLAGS = frozenset(
    {"agent-check", "allow-0rtt", "backup", "check", "check-send-proxy", "check-ssl", "check-via-socks4", "disabled"}
    | {
        "enabled",
        "force-sslv3",
        "force-tlsv10",
        "force-tlsv11",
        "force-tlsv12",
        "force-tlsv13",
        "non-stick",
        "send-proxy",
    }
    | {"send-proxy-v2", "send-proxy-v2-ssl", "send-proxy-v2-ssl-cn", "ssl", "ssl-reuse", "stick", "tfo", "tls-tickets"}
)
"""Options of servers without a value."""
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


@dataclass(frozen=True)
class Mistake:
    """What is wrong where, and how to fix it. With `is_warning` it works, but not as well as it could."""

    subject: Subject
    where: str
    detail: str
    hint: str
    is_warning: bool = False


@dataclass(frozen=True)
class Backend:
    """A section with servers, and those from which requests come to it."""

    section: Section
    frontends: Sequence[Section]

    @property
    def servers(self) -> list[Directive]:
        """Its servers."""
        return self.section.all_of("server")

    def option(self, server: Directive, name: str) -> str | None:
        """The value of an option of a server, or of its defaults; None where it has none."""
        return self._options(server).get(name)

    def has(self, server: Directive, name: str) -> bool:
        """Whether a server, or its defaults, have an option without a value."""
        return name in self._options(server)

    def _options(self, server: Directive) -> dict[str, str]:
        found: dict[str, str] = {}
        for words in (*(each.words[1:] for each in self.section.all_of("default-server")), server.words[3:]):
            rest = list(words)
            while rest:
                name = rest.pop(0)
                if name.startswith("no-"):
                    found.pop(name.removeprefix("no-"), None)
                else:
                    found[name] = "" if name in _FLAGS or not rest else rest.pop(0)
        return found

    def detection_seconds(self, server: Directive) -> float:
        """How long it takes at most until failed checks count, without the time that checks take."""
        inter = seconds_of(self.option(server, "inter") or "2s")
        fast = self.option(server, "fastinter")
        fall = int(self.option(server, "fall") or 3)
        return inter + (fall - 1) * (inter if fast is None else seconds_of(fast))

    def where(self, directive: Directive | None = None) -> str:
        """A place in the file."""
        place = self.section.line if directive is None else directive.line
        return f"line {place}, {self.section.kind} {self.section.name}"


def backends_of(sections: Sequence[Section]) -> list[Backend]:
    """The sections that pass HTTP on to servers."""
    frontends = [section for section in sections if section.kind == "frontend"]
    return [
        Backend(section, [each for each in frontends if _leads_to(each, section.name)])
        for section in sections
        if section.kind in ("backend", "listen") and section.all_of("server")
    ]


def mistakes_of(backend: Backend) -> list[Mistake]:
    """Everything that is wrong with it."""
    return [*_health_checks(backend), *_retries(backend), *_forwarded_headers(backend)]


def seconds_of(text: str) -> float:
    """A time of HAProxy: `500ms`, `2s`, `1000` (milliseconds)."""
    found = re.fullmatch(r"(\d+)(us|ms|s|m|h|d)?", text)
    return 0.0 if found is None else int(found[1]) * _UNITS[found[2] or "ms"]


def _leads_to(frontend: Section, name: str) -> bool:
    uses = [*frontend.all_of("default_backend"), *frontend.all_of("use_backend")]
    return any(use.words[1] == name or "%[" in use.words[1] for use in uses if len(use.words) > 1)


def _health_checks(backend: Backend) -> Iterator[Mistake]:
    unchecked = [server for server in backend.servers if not backend.has(server, "check")]
    if unchecked:
        names = ", ".join(server.words[1] for server in unchecked)
        detail = f"{names} {'is' if len(unchecked) == 1 else 'are'} not checked, and get requests whatever their state"
        yield Mistake("health checks", backend.where(unchecked[0]), detail, "Write `default-server check ...`.")
    asked = backend.section.last_of("option", "httpchk")
    if asked is None:
        yield Mistake(
            "health checks",
            backend.where(),
            "it is only checked whether a connection can be opened: an instance that drains, or has no database, still "
            "gets requests",
            f"Write `option httpchk GET {READY_PATH}`.",
        )
        return
    directive, method, path = _asked(backend.section, asked)
    if path.partition("?")[0] != READY_PATH or method not in ("GET", "HEAD"):
        why = ", which stays 200 while an instance drains" if path == "/livez" else ""
        detail = f"the health check asks {method} {path}{why}"
        yield Mistake("health checks", backend.where(directive), detail, f"Write `option httpchk GET {READY_PATH}`.")


def _asked(section: Section, option: Directive) -> tuple[Directive, str, str]:
    """By which directive, with which method and for which path the check asks."""
    given = option.words[2:]
    method, path = "OPTIONS", "/"
    if len(given) == 1:
        path = given[0]
    elif given:
        method, path = given[:2]
    sent = section.last_of("http-check", "send")
    if sent is None:
        return option, method, path
    words = sent.words
    if "meth" in words[:-1]:
        method = words[words.index("meth") + 1]
    for name in ("uri", "uri-lf"):
        if name in words[:-1]:
            path = words[words.index(name) + 1]
    return sent, method, path


def _retries(backend: Backend) -> Iterator[Mistake]:
    section = backend.section
    found = section.last_of("retry-on")
    count = section.last_of("retries")
    if found is None or (count is not None and count.words[1:2] == ("0",)):
        return
    reasons = set(found.words[1:])
    if reasons - _NEVER_SENT:
        yield from _repeated_writes(backend, found)
    if overload := sorted(reasons & {"503", "429", "all-retryable-errors"}):
        yield Mistake(
            "retries",
            backend.where(found),
            f"`{' '.join(overload)}` repeats requests that an instance refused because of overload, and adds to it",
            "Write `retry-on conn-failure empty-response response-timeout`.",
            is_warning=True,
        )
    for server in backend.servers:
        if backend.option(server, "on-marked-down") == "shutdown-sessions":
            detail = "`on-marked-down shutdown-sessions` cuts requests that are about to be answered"
            yield Mistake("retries", backend.where(server), detail, "Remove it.", is_warning=True)


def _repeated_writes(backend: Backend, found: Directive) -> Iterator[Mistake]:
    hint = "Write `http-request disable-l7-retry unless METH_GET || { method HEAD OPTIONS }`."
    unprotected: list[str] = []
    for method in WRITES:
        try:
            if not _is_protected(backend, method):
                unprotected.append(method)
        except UnknownCondition as word:
            detail = f"whether writes are repeated depends on `{word}`, which this check does not know"
            yield Mistake("retries", backend.where(found), detail, hint, is_warning=True)
            return
    if unprotected:
        detail = f"{', '.join(unprotected)} are sent again although an instance may have carried them out"
        yield Mistake("retries", backend.where(found), detail, hint)


def _is_protected(backend: Backend, method: str) -> bool:
    """Whether no write of this method is repeated, whichever way it comes."""
    if _disables(backend.section, method):
        return True
    return bool(backend.frontends) and all(_disables(section, method) for section in backend.frontends)


def _disables(section: Section, method: str) -> bool:
    acls: dict[str, list[tuple[str, ...]]] = {}
    for acl in section.all_of("acl"):
        acls.setdefault(acl.words[1], []).append(acl.words[2:])
    rules = section.all_of("http-request", "disable-l7-retry")
    return any(holds_for(method, rule.words[2:], acls) for rule in rules)


def _forwarded_headers(backend: Backend) -> Iterator[Mistake]:
    ways = [[backend.section, each] for each in backend.frontends] or [[backend.section]]
    for sections in ways:
        if any(section.all_of("option", "forwarded") for section in sections):
            continue  # RFC 7239 in place of these headers
        where = backend.where() if len(sections) == 1 else f"line {sections[1].line}, frontend {sections[1].name}"
        rules = {
            (rule.words[1], rule.words[2].lower())
            for section in sections
            for rule in section.all_of("http-request")
            if len(rule.words) > 2
        }
        has_address = ("set-header", "x-forwarded-for") in rules or any(
            section.all_of("option", "forwardfor") for section in sections
        )
        if not has_address:
            detail = "the client's address is not forwarded: all clients share one bucket of the rate limits"
            yield Mistake("forwarded headers", where, detail, "Write `option forwardfor`.")
        for header, meaning in (("X-Forwarded-Proto", "scheme"), ("X-Forwarded-Host", "host")):
            if ("set-header", header.lower()) not in rules:
                value = "https if { ssl_fc }" if meaning == "scheme" else "%[req.hdr(host)]"
                yield Mistake(
                    "forwarded headers",
                    where,
                    f"{header} is not set, so a client chooses the {meaning}",
                    f"Write `http-request set-header {header} {value}`.",
                )
