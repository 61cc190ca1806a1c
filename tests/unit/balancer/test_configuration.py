"""What `deploy/haproxy.cfg` says is what the package renders, and its problem documents are whole."""

from pathlib import Path

import msgspec
import pytest

from gatepost.balancer.configuration import ERRORS_FOLDER, HAProxyConfiguration, error_files
from gatepost.balancer.problem_responses import RESPONSES, ProblemResponse

DEPLOY = Path(__file__).parents[3] / "deploy"


def directives(text: str) -> list[str]:
    """The lines that HAProxy reads."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def test_the_files_of_the_repository_are_those_that_are_rendered() -> None:
    assert (DEPLOY / "haproxy.cfg").read_text() == HAProxyConfiguration().text
    found = {path.name: path.read_bytes().decode() for path in (DEPLOY / ERRORS_FOLDER).iterdir()}
    assert found == error_files()


def test_everywhere_the_rules_are_the_same() -> None:
    process, listeners = "    log stdout format raw local0\n", "    bind 127.0.0.1:8000\n"
    local = HAProxyConfiguration({"a": "127.0.0.1:1"}, process, listeners, errors="errors", redirects_to_tls=False)
    differing = set(directives(HAProxyConfiguration().text)) ^ set(directives(local.text))
    kinds = {line.split()[0] for line in differing}
    assert kinds == {
        *(
            "bind",
            "chroot",
            "errorfile",
            "group",
            "http-request",
            "log",
            "maxconn",
            "server",
            "ssl-default-bind-ciphers",
        ),
        *("ssl-default-bind-options", "stats", "tune.h2.max-concurrent-streams", "user"),
    }
    assert {line for line in differing if line.startswith("http-request")} == {
        "http-request redirect scheme https code 308 unless { ssl_fc }"
    }


@pytest.mark.parametrize("response", RESPONSES, ids=lambda response: str(response.status))
def test_a_response_of_haproxy_is_a_problem_document(response: ProblemResponse) -> None:
    document = msgspec.json.decode(response.document("1"))
    assert document.keys() == {"type", "title", "status", "detail", "code", "request_id", "errors"}
    assert "'" not in response.document("1"), "it stands in single quotes"
    head, _, body = response.file.partition("\r\n\r\n")
    assert f"Content-Length: {len(body)}" in head
