"""What `gatepost top` shows: each view asks the admin listener, which answers from memory, also without a database."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from gatepost.cli.admin_client import ask, find
from gatepost.errors import ConfigurationError

SHOWN_OPERATIONS = 12
SHOWN_CHANGES = 5
SHOWN_CLIENTS = 15

Rows = tuple[Sequence[str], Sequence[Sequence[Any]]]
Found = Mapping[str, Any]


class Wanted(NamedTuple):
    """What is asked for: the view, its operation, of how many seconds the figures are, the server's port, and what
    clients are ordered by."""

    view: str
    name: str | None
    seconds: int
    port: int | None
    by: str = "requests"

    def ask(self, path: str) -> Any:
        """A page of the server."""
        return ask("GET", path, port=self.port)


class View(NamedTuple):
    """What was `found`, for scripts, and the same as lines and tables; the first line is the most important one."""

    found: Any
    parts: Sequence[str | Rows]
    is_well: bool = True


def _state(wanted: Wanted) -> View:
    state = wanted.ask(f"/state?seconds={wanted.seconds}")
    firing = _firing(find("/alerts", port=wanted.port))
    changes = wanted.ask("/changes")["changes"][:SHOWN_CHANGES]
    lines: list[str | Rows] = [f"{state['instance']}: {_first_sentence(state, firing)}"]
    lines += [f"  - {problem}" for problem in state["problems"][1:]]
    for alert in firing:
        follows = f" (follows from {alert['follows_name']})" if alert.get("follows_name") else ""
        lines.append(f"  ! {alert['severity']}: {alert['sentence']}{follows}")
        if not follows:
            lines.append(f"    since {alert['since']}; look at: {alert['look_at']}")
    lines += [_pool_line(state), _codes_line(state["codes"])]
    lines.append(f"Release {state['release'] or 'unknown'}. {state['records']}")
    if backups := state.get("backups"):  # a server of an earlier version does not say
        lines.append(backups)
    if state["operations"]:
        lines.append(_operation_rows(state["operations"][:SHOWN_OPERATIONS]))
    else:
        lines.append(f"No requests in the last {state['window_seconds']:.0f} s.")
    if changes:
        lines.append(
            (
                ("changed at", "kind", "what"),
                [(each["at"], each["kind"], each["summary"]) for each in changes],
            )
        )
    found = {**state, "alerts": firing, "changes": changes}
    lines.append("Next: gatepost top operations, operation NAME, database, clients or instances; gatepost db slow.")
    return View(found, lines, is_well=state["status"] == "ok" and not firing)


def _operations(wanted: Wanted) -> View:
    state = wanted.ask(f"/state?seconds={wanted.seconds}")
    return View(state["operations"], [_window_line(state), _operation_rows(state["operations"])])


def _operation(wanted: Wanted) -> View:
    name = wanted.name or ""
    known = [each for each in wanted.ask("/operations")["operations"] if each["operation"] == name]
    if not known:
        raise ConfigurationError(
            f"No operation {name!r} has been asked for.",
            hint="`gatepost top operations` and `gatepost routes` list them.",
        )
    state = wanted.ask(f"/state?seconds={wanted.seconds}")
    now = [each for each in state["operations"] if each["operation"] == name]
    history = wanted.ask(f"/history?since=1h&step=5m&operation={quote(name)}")["steps"]
    steps = [
        (
            each["at"],
            each["requests"],
            each["errors"],
            each["refusals"],
            *_times(each),
            _seconds(each["database_seconds"]),
        )
        for each in history
    ]
    slowest = [
        (each["request_id"], _milliseconds(each["seconds"]), _milliseconds(each["database_seconds"]))
        for each in known[0]["slowest"]
    ]
    codes = wanted.ask(f"/traffic?since={wanted.seconds}s&operation={quote(name)}")["of_operation"]["codes"]
    parts: list[str | Rows] = [_window_line(state), _operation_rows(now or known), _codes_line(codes)]
    parts.append((("since", "requests", "errors", "refusals", "p50", "p95", "p99", "database"), steps))
    parts.append((("slowest, by request id", "took", "database"), slowest))
    parts.append("Next: gatepost logs --request ID")
    of_now = {**now[0], "codes": codes} if now else None
    found = {"operation": name, "now": of_now, "since_start": known[0], "history": history}
    return View(found, parts)


def _database(wanted: Wanted) -> View:
    state = wanted.ask(f"/state?seconds={wanted.seconds}")
    counted = state["counted"]
    said = (
        f"{counted['outages']:.0f} outages, {counted['away_seconds']:.1f} s away, {counted['retries']:.0f} "
        f"transactions ran again, {counted['connections_opened']:.0f} connections opened."
    )
    rows = [
        (
            each["statement"],
            each["count"],
            each["failures"],
            _seconds(each["seconds_total"]),
            _milliseconds(each["seconds_total"] / max(1, each["count"])),
            each["rows"],
        )
        for each in state["statements"]
    ]
    names = ("instance", "window_seconds", "gauges", "counted", "statements", "records")
    columns = ("statement", "ran", "failed", "took", "mean", "rows")
    parts: list[str | Rows] = [_window_line(state), _pool_line(state), said, str(state["records"]), (columns, rows)]
    return View({name: state[name] for name in names}, parts)


def _clients(wanted: Wanted) -> View:
    found = wanted.ask(f"/clients?by={wanted.by}")
    parts: list[str | Rows] = [f"The clients that have {_ORDERS[wanted.by]} since {found['since']}."]
    for kind in ("addresses", "networks", "users"):
        rows = [
            (each["client"], each["requests"], each["refusals"], each["failed_sign_ins"])
            for each in found[kind][:SHOWN_CLIENTS]
        ]
        if rows:
            parts.append(((kind, "requests", "refusals", "failed sign-ins"), rows))
            if (left_out := len(found[kind]) - len(rows)) > 0:
                parts.append(f"{left_out} more: --json")
    if not any(found[kind] for kind in ("addresses", "networks", "users")):
        parts.append("None.")
    if found["addresses"]:
        client = found["addresses"][0]["client"]
        parts.append(f"Next: gatepost logs --client {client} --since 10m; gatepost limits show {client}")
    return View(found, parts)


_ORDERS = {
    "requests": "sent the most",
    "refusals": "been refused most",
    "failed_sign_ins": "failed most to sign in",
}


def _instances(wanted: Wanted) -> View:
    found = wanted.ask("/instances")
    silent = [each["name"] for each in found["instances"] if each["state"] == "silent"]
    left_out = found.get("left_out", 0)
    count = len(found["instances"]) + left_out
    known = "1 instance is known." if count == 1 else f"{count} instances are known."
    first = f"Silent: {', '.join(silent)}." if silent else known
    columns = ("name", "state", "release", "version", "started_at", "silent_seconds", "clock_offset_seconds")
    rows = [[each[column] for column in columns] for each in found["instances"]]
    parts: list[str | Rows] = [first, str(found["records"]), ([column.replace("_", " ") for column in columns], rows)]
    if left_out:
        parts.append(f"{left_out} that ended before those are not listed.")
    return View(found, parts, is_well=not silent)


VIEWS: Mapping[str, Callable[[Wanted], View]] = {
    "state": _state,
    "operations": _operations,
    "operation": _operation,
    "database": _database,
    "clients": _clients,
    "instances": _instances,
}


def _firing(alerts: Found | None) -> list[Found]:
    """Those that fire: pages before tickets, and what follows from another after those that do not."""
    firing = [] if alerts is None else [each for each in alerts["alerts"] if each["state"] == "firing"]
    return sorted(firing, key=lambda each: (each.get("follows") is not None, each["severity"] != "page"))


def _first_sentence(state: Found, firing: Sequence[Found]) -> str:
    """That of the state; an alert outlasts what the last minute has, and then all is not well."""
    sentence: str = state["sentence"]
    if not firing or state["problems"]:
        return sentence
    count = "1 alert fires." if len(firing) == 1 else f"{len(firing)} alerts fire."
    return sentence.replace("All is well.", count, 1)


def _window_line(state: Found) -> str:
    return f"{state['instance']}: {state['sentence']} Of the last {state['window_seconds']:.0f} s:"


def _pool_line(state: Found) -> str:
    gauges = state["gauges"]
    used, limit = gauges.get("pool_connections_in_use", 0), gauges.get("pool_connections_max", 0)
    waiting, served = gauges.get("pool_waiting", 0), gauges.get("requests_in_flight", 0)
    return (
        f"Pool: {used:.0f} of at most {limit:.0f} connections in use, {gauges.get('pool_connections', 0):.0f} open, "
        f"{waiting:.0f} requests wait for one; {served:.0f} requests are being served."
    )


def _codes_line(codes: Mapping[str, float]) -> str:
    shown = ", ".join(f"{code} {count:.0f}" for code, count in list(codes.items())[:6])
    return f"Refusals and failures: {shown or 'none'}."


def _operation_rows(operations: Sequence[Found]) -> Rows:
    columns = ("operation", "requests", "errors", "refusals", "p50", "p95", "p99", "share of time", "in the database")
    return columns, [
        (
            each["operation"],
            each.get("requests", each.get("count")),
            each["errors"],
            each["refusals"],
            *_times(each),
            f"{100 * each['share_of_time']:.0f} %",
            f"{100 * each['database_seconds'] / (each['seconds_total'] or 1):.0f} %",
        )
        for each in operations
    ]


def _times(figures: Found) -> list[str]:
    return [_milliseconds(figures["seconds"][name]) for name in ("p50", "p95", "p99")]


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms" if seconds < 1 else _seconds(seconds)


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 1000 else f"{seconds:.0f} s"
