"""Every mistake of a balancer's file is found at its line, and the file of the repository has none."""

import os
from pathlib import Path

import pytest

from gatepost.balancer.configuration import HAProxyConfiguration
from gatepost.balancer.configuration_checks import backends_of, mistakes_of
from gatepost.balancer.sections import read_sections
from gatepost.cli.doctor_balancer import examine_balancer
from gatepost.cli.doctor_findings import DoctorFinding
from gatepost.errors import ConfigurationError

GOOD = HAProxyConfiguration().text
UNLESS = "http-request disable-l7-retry unless METH_GET || { method HEAD OPTIONS }"
HTTPCHK = "option httpchk GET /readyz"
RETRY_ON = "retry-on conn-failure empty-response response-timeout"


def found_in(text: str) -> list[tuple[str, str, bool]]:
    """Subject, detail, and whether it is a warning, of each mistake."""
    (backend,) = backends_of(read_sections(text))
    return [(each.subject, each.detail, each.is_warning) for each in mistakes_of(backend)]


def test_the_file_of_the_repository_is_well() -> None:
    assert found_in(GOOD) == []


@pytest.mark.parametrize(
    ("there", "here", "detail"),
    [
        (HTTPCHK, "option httpchk GET /livez", "asks GET /livez, which stays 200 while an instance drains"),
        (HTTPCHK, "option httpchk /readyz", "asks OPTIONS /readyz"),
        (HTTPCHK, "option httpchk", "asks OPTIONS /"),
        (HTTPCHK, "option httpchk\n    http-check send meth GET uri /health", "asks GET /health"),
        (HTTPCHK, "", "only checked whether a connection can be opened"),
        ("default-server check inter", "default-server inter", "shop-1, shop-2 are not checked"),
    ],
)
def test_a_health_check_that_does_not_tell_is_found(there: str, here: str, detail: str) -> None:
    ((subject, found, is_warning),) = found_in(GOOD.replace(there, here))
    assert (subject, is_warning) == ("health checks", False)
    assert detail in found


@pytest.mark.parametrize(
    ("there", "here", "detail", "is_warning"),
    [
        (UNLESS, "", "POST, PUT, PATCH, DELETE are sent again", False),
        (UNLESS, "http-request disable-l7-retry if METH_POST", "PUT, PATCH, DELETE are sent again", False),
        (UNLESS, "http-request disable-l7-retry if { method POST PUT patch }", "DELETE are sent again", False),
        (UNLESS, "http-request disable-l7-retry if { path_beg /api }", "depends on `path_beg`", True),
        (UNLESS, "http-request disable-l7-retry unless safe or METH_GET", "depends on `safe`", True),
        (RETRY_ON, f"{RETRY_ON} 503", "`503` repeats requests", True),
        (RETRY_ON, "retry-on all-retryable-errors", "`all-retryable-errors` repeats requests", True),
        ("maxconn 4000", "maxconn 4000 on-marked-down shutdown-sessions", "cuts requests", True),
    ],
)
def test_a_write_that_is_repeated_is_found(there: str, here: str, detail: str, is_warning: bool) -> None:
    (subject, found, warning), *rest = found_in(GOOD.replace(there, here))
    assert (subject, warning) == ("retries", is_warning)
    assert detail in found
    assert {each[1].partition(" cuts")[0] for each in rest} <= {"`on-marked-down shutdown-sessions`"}


@pytest.mark.parametrize(
    "protection",
    [
        "http-request disable-l7-retry",
        "http-request disable-l7-retry if METH_POST or { method PUT PATCH DELETE }",
        "http-request disable-l7-retry if !METH_GET ! { method HEAD OPTIONS }",
        "acl read method GET HEAD\n    acl read method OPTIONS\n    http-request disable-l7-retry unless read",
        "retries 0",
        "retry-on conn-failure",
        "http-request disable-l7-retry if METH_POST\n    http-request disable-l7-retry if { method PUT PATCH DELETE }",
    ],
)
def test_a_write_that_is_not_repeated_is_well(protection: str) -> None:
    assert found_in(GOOD.replace(UNLESS, protection)) == []


def test_what_a_frontend_and_the_defaults_say_holds_for_their_backends() -> None:
    text = GOOD.replace(f"    {UNLESS}\n", "").replace(f"    {HTTPCHK}\n", "")
    text = text.replace("frontend api\n", f"    {HTTPCHK}\n\nfrontend api\n    {UNLESS}\n")
    assert found_in(text) == []


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ("option forwardfor", "the client's address is not forwarded"),
        ("http-request set-header X-Forwarded-Host %[req.hdr(host)]", "a client chooses the host"),
        ("http-request set-header X-Forwarded-Proto", "a client chooses the scheme"),
    ],
)
def test_headers_that_are_not_forwarded_are_found(line: str, detail: str) -> None:
    ((subject, found, _),) = found_in(GOOD.replace(line, line.replace("set", "add") if "set" in line else ""))
    assert subject == "forwarded headers"
    assert detail in found


def test_an_instance_that_does_not_trust_the_balancer_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GATEPOST")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    file = tmp_path / "haproxy.cfg"
    file.write_text(GOOD.replace("fall 2", "fall 20"))

    def found(check: str) -> DoctorFinding:
        return next(each for each in examine_balancer(file) if each.check == check)

    trust = found("trust")
    assert (trust.ok, trust.is_warning) == (False, True), "the instance may be elsewhere, with settings of its own"
    assert "reached from 127.0.0.1" in trust.detail
    monkeypatch.setenv("GATEPOST_TRUSTED_PROXIES", "10.0.0.0/8")
    trust = found("trust")
    assert (trust.ok, trust.is_warning) == (False, False)
    assert "is reached from 127.0.0.1, which GATEPOST_TRUSTED_PROXIES does not contain" in trust.detail
    assert trust.hint == "Set GATEPOST_TRUSTED_PROXIES=10.0.0.0/8,127.0.0.1 at the instance."
    assert not found("drain").ok
    assert found("drain").detail.startswith("shop-1: that it drains is noticed after 4.3 s")

    for trusted in ("10.0.0.0/8,127.0.0.1", "127.0.0.0/8", "1"):
        monkeypatch.setenv("GATEPOST_TRUSTED_PROXIES", trusted)
        assert found("trust").ok, trusted
    monkeypatch.setenv("GATEPOST_DRAIN_DELAY_SECONDS", "5")
    assert found("drain").ok


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        examine_balancer(tmp_path / "nothing.cfg")
    (tmp_path / "empty.cfg").write_text("global\n")
    with pytest.raises(ConfigurationError, match="has no backend with servers"):
        examine_balancer(tmp_path / "empty.cfg")
