"""HAProxy in front of two instances: what clients, logs and limits see, and what a killed instance costs."""

import json
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from balanced_shop import BalancedShop, Writes, balanced_shop, curl, post
from tests.acceptance.conftest import GATEPOST, end_with_parent, wait_for
from tests.acceptance.traffic import Traffic
from tests.conftest import FAST_AND_FORGETFUL
from tests.ports import free_port

from gatepost.balancer.configuration import ERRORS_FOLDER, PRODUCTION_ERRORS
from gatepost.balancer.haproxy import HAProxy, check_configuration
from gatepost.balancer.programs import find_haproxy
from gatepost.embedded.postgresql import EmbeddedPostgreSQL

DEPLOY = Path(__file__).parents[1] / "deploy"
PAUSE_SECONDS = 0.02


@pytest.fixture(scope="module")
def module_shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BalancedShop]:
    folder = tmp_path_factory.mktemp("shop")
    with (
        EmbeddedPostgreSQL(folder / "postgresql", settings=FAST_AND_FORGETFUL) as postgresql,
        balanced_shop(folder, postgresql) as started,
    ):
        yield started


@pytest.fixture
def shop(module_shop: BalancedShop) -> BalancedShop:
    """Both instances ready, whatever the test before has done to them, and known to be by HAProxy."""
    for server in module_shop.instances.values():
        server.ready()
    wait_for(lambda: set(module_shop.balancer.states().values()) == {"UP"}, "both instances")
    return module_shop


def test_log_limiter_and_haproxy_have_the_same_client(shop: BalancedShop) -> None:
    forged = ["-H", "X-Forwarded-For: 203.0.113.9", "-H", "Forwarded: for=203.0.113.9;host=evil.example"]
    forged += ["-H", "X-Forwarded-Proto: https", "-H", "X-Forwarded-Host: evil.example"]
    responses = [curl("--interface", "127.0.0.2", *forged, f"{shop.balancer.url}/api/limited/ten") for _ in range(4)]
    other = curl("--interface", "127.0.0.3", f"{shop.balancer.url}/api/limited/ten")

    assert all(response.startswith("HTTP/1.1 200") for response in responses)
    assert "strict-transport-security" not in "".join(responses), "the scheme is HAProxy's to say"
    wait_for(lambda: '"client":"127.0.0.3"' in shop.output(), "the access lines")
    assert shop.output().count('"client":"127.0.0.2"') == 4
    assert "203.0.113.9" not in shop.output()
    assert "evil.example" not in shop.output()
    lines = shop.balancer.log.read_text().splitlines()
    assert sum(line.startswith("127.0.0.2:") and "/api/limited/ten" in line for line in lines) == 4
    assert left(other) == 9
    assert left(responses[-1]) <= 8, "a bucket of its own"


def left(response: str) -> int:
    """The tokens that a response says are left."""
    found = re.search(r"^ratelimit: .*;r=(\d+)", response, re.M)
    assert found is not None, response
    return int(found[1])


def test_the_proxy_protocol_says_who_the_client_is(shop: BalancedShop) -> None:
    balancer = HAProxy(shop.balancer.instances, free_port(), shop.folder / "proxy", accepts_proxy_protocol=True)
    with balancer, socket.create_connection(("127.0.0.1", balancer.port), 30.0) as client:
        wait_for(lambda: "UP" in balancer.states().values(), "an instance")
        client.sendall(b"PROXY TCP4 198.51.100.7 127.0.0.1 5000 80\r\nGET /api/notes HTTP/1.1\r\nhost: shop\r\n\r\n")
        assert client.recv(65_536).startswith(b"HTTP/1.1 200")
    wait_for(lambda: '"client":"198.51.100.7"' in shop.output(), "the access line")
    assert "\n198.51.100.7:5000 " in balancer.log.read_text()


def deployed(folder: Path, shop: BalancedShop, ports: tuple[int, int]) -> Path:
    """`deploy/haproxy.cfg` with what differs here: users and folders of Debian's, places, ports, and less patience."""
    folder.mkdir()
    name = folder / "shop.pem"
    key = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    key += ["-keyout", "key.pem", "-out", "certificate.pem", "-subj", "/CN=shop.example"]
    subprocess.run(key, cwd=folder, check=True, capture_output=True)
    name.write_bytes((folder / "certificate.pem").read_bytes() + (folder / "key.pem").read_bytes())
    text = (DEPLOY / "haproxy.cfg").read_text()
    places = {
        "log /dev/log local0": "log stdout format raw local0",
        "/run/haproxy/admin.sock": str(folder / "admin.sock"),
        "user haproxy": "",
        "group haproxy": "",
        "chroot /var/lib/haproxy": "",
        "maxconn 20000": "maxconn 1000",
        "/etc/haproxy/certs/": str(name),
        PRODUCTION_ERRORS: str(DEPLOY / ERRORS_FOLDER),
        "bind :80": f"bind 127.0.0.1:{ports[0]}",
        "bind :443": f"bind 127.0.0.1:{ports[1]}",
        "timeout http-request 8s": "timeout http-request 1s",
        "conn_cur gt 100": "conn_cur gt 5",
        **{f"127.0.0.1:800{number}": f"127.0.0.1:{port}" for number, port in enumerate(shop.ports.values(), 1)},
    }
    for there, here in places.items():
        assert there in text, there
        text = text.replace(there, here)
    (folder / "haproxy.cfg").write_text(text)
    return folder / "haproxy.cfg"


def test_the_deployed_file_speaks_tls_and_refuses_slow_clients(shop: BalancedShop, tmp_path: Path) -> None:
    ports = free_port(), free_port()
    file = deployed(tmp_path / "deployed", shop, ports)
    check_configuration(find_haproxy(), file)
    behind = file.read_text().replace(f"    bind 127.0.0.1:{ports[0]}\n", "").replace("    #bind", "    bind")
    (file.parent / "behind.cfg").write_text(behind.replace("tcp-request connection", "tcp-request session"))
    check_configuration(find_haproxy(), file.parent / "behind.cfg")

    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [find_haproxy(), "-db", "-f", file], stdout=log, stderr=log, preexec_fn=end_with_parent
        )
    try:
        resolve = ["-k", "--resolve", f"shop.example:{ports[1]}:127.0.0.1"]
        url = f"https://shop.example:{ports[1]}/api/notes"
        wait_for(lambda: curl(*resolve, url).startswith("HTTP/2 200"), "a response by HTTP/2")
        response = curl(*resolve, url, "-H", "X-Forwarded-Proto: http")
        assert "strict-transport-security: max-age=31536000" in response, "the instance knows that it is TLS"
        assert "308" in curl(f"http://127.0.0.1:{ports[0]}/api/notes").splitlines()[0]

        with socket.create_connection(("127.0.0.1", ports[0]), 30.0) as slow:
            slow.sendall(b"POST /api/notes HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 100\r\n\r\n{")
            head, _, body = receive_all(slow).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408")
        assert b"application/problem+json" in head
        assert json.loads(body)["code"] == "balancer_request_timeout"

        wait_for(lambda: is_sixth_refused(ports[0]), "the sixth connection to be closed at once")
        wait_for(lambda: receive_of_silent(ports[0]).startswith(b"HTTP/1.1 408"), "a connection that may wait")
    finally:
        process.kill()
        process.wait()


def is_sixth_refused(port: int) -> bool:
    """Whether a connection of an address that has five gets nothing."""
    with ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 30.0))
        return receive_of_silent(port) == b""


def receive_of_silent(port: int) -> bytes:
    """What a connection gets that sends nothing."""
    try:
        with socket.create_connection(("127.0.0.1", port), 30.0) as client:
            return receive_all(client)
    except ConnectionResetError:
        return b""


def receive_all(client: socket.socket) -> bytes:
    """Everything until the end of the connection, however it ends."""
    parts: list[bytes] = []
    try:
        while part := client.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def test_the_doctor_asks_the_instances_that_run(shop: BalancedShop) -> None:
    examined = [GATEPOST, "doctor", "--haproxy", shop.balancer.folder / "haproxy.cfg", "--json"]
    environ = {name: value for name, value in shop.environ.items() if name != "GATEPOST_TRUSTED_PROXIES"}
    done = subprocess.run(examined, env=environ, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    details = {each["detail"] for each in found}
    for name in shop.ports:
        trust = f"{name}: GATEPOST_TRUSTED_PROXIES contains 127.0.0.1 (of the server {name}, which runs)"
        assert trust in details, "of the server, not of this environment"
        assert f"{name}: that it drains is noticed after 0.7 s and what the checks take, within 3 s" in details


def test_a_rolling_restart_fails_no_read_and_no_write(shop: BalancedShop) -> None:
    port = shop.balancer.port
    with Traffic(port, "/api/notes", clients=2, pause_seconds=PAUSE_SECONDS) as reads, Writes(port, "rolled") as writes:
        wait_for(lambda: reads.count > 50, "traffic")
        before = {name: server.process.pid for name, server in shop.instances.items()}
        done = shop.roll()
        count = reads.count
        wait_for(lambda: reads.count > count + 50, "traffic of the new instances")
    assert done.returncode == 0, done.stderr
    assert [line.split(" after")[0] for line in done.stdout.splitlines()] == [
        *("Restarting shop-1", "shop-1 is ready"),
        *("Restarting shop-2", "shop-2 is ready"),
    ]
    assert all(server.process.pid != before[name] for name, server in shop.instances.items())
    assert set(reads.responses["kept"]) == set(reads.responses["fresh"]) == {200}
    assert reads.cut.total() == reads.refused.total() == 0
    assert set(writes.statuses.values()) == {201}
    assert {title: count for title, count in shop.titles().items() if title.startswith("rolled")} == dict.fromkeys(
        writes.statuses, 1
    )


def test_a_rolling_restart_stops_at_the_first_that_does_not_come_back(shop: BalancedShop) -> None:
    source = (shop.folder / "app.py").read_text()
    (shop.folder / "app.py").write_text(source + "x = (\n")
    try:
        done = shop.roll("--timeout", "3")
        assert done.returncode == 1
        assert "shop-1 is not ready after 3 s" in done.stderr
        assert done.stderr.endswith("Stopped. Not restarted: shop-2.\n")
    finally:
        (shop.folder / "app.py").write_text(source)
        shop.restart("shop-1")
    assert curl(f"{shop.balancer.url}/readyz").startswith("HTTP/1.1 200")


def test_a_killed_instance_fails_no_read_and_repeats_no_write(shop: BalancedShop) -> None:
    port = shop.balancer.port
    reads = Traffic(port, "/api/notes", clients=2, pause_seconds=PAUSE_SECONDS)
    with reads, Writes(port, "killed", clients=6, pause_seconds=0.0) as writes:
        wait_for(lambda: len(writes.statuses) > 20, "traffic")
        shop.kill("shop-2")
        count = reads.count
        wait_for(lambda: reads.count > count + 200, "traffic without it")
    shop.start("shop-2")
    assert set(reads.responses["kept"]) == set(reads.responses["fresh"]) == {200}
    assert reads.cut.total() == reads.refused.total() == 0

    failed = [title for title, status in writes.statuses.items() if status != 201]
    assert 1 <= len(failed) <= 6, "those that the instance had in flight, one for each client at most"
    assert writes.codes == {"balancer_response_lost": len(failed)}
    found = shop.titles()
    assert all(found[title] == 1 for title, status in writes.statuses.items() if status == 201)
    assert all(found[title] <= 1 for title in failed)


def test_a_reload_of_haproxy_refuses_and_cuts_nothing_new(shop: BalancedShop) -> None:
    with Traffic(shop.balancer.port, "/api/notes", clients=2, pause_seconds=PAUSE_SECONDS) as reads:
        for _ in range(3):
            count = reads.count
            shop.balancer.reload()
            wait_for(lambda count=count: reads.count > count + 20, "traffic of the new worker")
    assert set(reads.responses["kept"]) == set(reads.responses["fresh"]) == {200}
    # A kept connection may be closed while it is idle, as at any time.
    assert reads.refused.total() == reads.cut["fresh"] == 0


def test_without_an_instance_haproxy_responds_with_a_problem_document(shop: BalancedShop) -> None:
    for name in shop.instances:
        shop.kill(name)
    status, body = post(shop.balancer.port, "nowhere")
    read = curl(f"{shop.balancer.url}/api/notes")
    for name in shop.instances:
        shop.start(name)
    problem = json.loads(body)
    assert (status, problem["code"], problem["type"]) == (503, "balancer_no_instance", "about:blank")
    assert problem["request_id"] in shop.balancer.log.read_text()
    assert "content-type: application/problem+json" in read
    assert "retry-after: 2" in read
