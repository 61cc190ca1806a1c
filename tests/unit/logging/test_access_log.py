"""Which requests have an access line: those of load balancers only where they say something."""

from collections.abc import Sequence

import msgspec
import pytest

from gatepost.events import RequestFinished
from gatepost.logging.access_log import AccessLog, Keep, Keepers

EVENT = RequestFinished("r1", "GET", "/readyz", "/readyz", "readyz", 200, 0.0, 0.0, 0.0, 0, 0, "10.0.0.1", None, None)
DEBUG, INFO, WARNING = 10, 20, 30


def asked(method: str = "GET", route: str = "/readyz", status: int = 200) -> RequestFinished:
    return msgspec.structs.replace(EVENT, method=method, route=route, path=route, status=status)


def levels_of(requests: Sequence[RequestFinished], level: int = INFO, sample: int = 1) -> list[str]:
    """The level and status of each line, in a process whose probes are those of Gatepost."""
    written: list[str] = []

    def keeper(level: str) -> Keep:
        return lambda event: written.append(f"{level} {event.status}")

    log = AccessLog({"access": level}, sample)
    log.mark_probes(["/livez", "/readyz"])
    subscriber = log.subscriber(Keepers(keeper("debug"), keeper("info"), keeper("error")), is_counted=True)
    for each in requests:
        subscriber(each)
    counted = log.readings()
    assert [counted["access_debug_lines"], counted["access_lines"], counted["access_errors"]] == [
        sum(line.startswith(name) for line in written) for name in Keepers._fields
    ]
    return written


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("route", ["/livez", "/readyz"])
def test_a_successful_probe_has_a_line_at_debug_only(method: str, route: str) -> None:
    probe = asked(method, route)
    assert [levels_of([probe], level) for level in (DEBUG, INFO, WARNING)] == [["debug 200"], [], []]


@pytest.mark.parametrize(
    "request_", [asked(route="/api/books"), asked("POST"), asked("GET", status=400), asked("OPTIONS", status=204)]
)
def test_what_is_no_successful_probe_has_its_line(request_: RequestFinished) -> None:
    assert levels_of([request_]) == [f"info {request_.status}"]


def test_failures_and_the_first_success_after_them_have_lines() -> None:
    statuses = (200, 503, 503, 200, 200, 503, 200)
    assert levels_of([asked(status=status) for status in statuses]) == [
        *("error 503", "error 503", "info 200"),
        *("error 503", "info 200"),
    ]


def test_one_probe_does_not_hide_that_another_succeeds_again() -> None:
    assert levels_of([asked(status=503), asked(route="/livez"), asked(), asked(route="/livez")]) == [
        "error 503",
        "info 200",
    ]


def test_a_sample_is_one_of_the_lines_that_are_not_probes() -> None:
    requests = [asked(route="/api/books"), asked(), asked()] * 4
    assert levels_of(requests, sample=2) == ["info 200"] * 2
    assert levels_of(requests, DEBUG, sample=2).count("debug 200") == 8
