"""The configuration of HAProxy: one text for production (`deploy/haproxy.cfg`), for `gatepost dev`, and for tests.

Outside the request path. `python -m gatepost.balancer.configuration deploy` writes what is in the folder `deploy` of
the repository. What differs between those places are the fields of `HAProxyConfiguration`: the process, what it listens
on, and the instances. The rules are the same everywhere.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gatepost.balancer.problem_responses import RESPONSES

ERRORS_FOLDER = "haproxy-errors"
CONNECTIONS_PER_ADDRESS = 100

PRODUCTION_PROCESS = """\
    # Debian's own folders and user; its package makes them.
    log /dev/log local0
    user haproxy
    group haproxy
    chroot /var/lib/haproxy
    stats socket /run/haproxy/admin.sock mode 660 level admin expose-fd listeners
    # Connections of clients at once. Each needs two descriptors; HAProxy refuses to start where it may not have them.
    maxconn 20000
    # Modern TLS only. Session tickets would keep one key for as long as the process runs.
    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
    ssl-default-bind-ciphers ECDHE+AESGCM:ECDHE+CHACHA20
    # One client may not open more requests at once on one HTTP/2 connection.
    tune.h2.max-concurrent-streams 100
"""
PRODUCTION_LISTENERS = """\
    bind :80
    # A folder of PEM files, each a certificate with its chain and its private key.
    bind :443 ssl crt /etc/haproxy/certs/ alpn h2,http/1.1
    # Behind a TCP load balancer that speaks the PROXY protocol, have this in place of both `bind` lines, and write
    # `session` for `connection` in the two `tcp-request` lines below. Let only that balancer reach the port: any
    # client that connects can claim any address.
    #bind :443 ssl crt /etc/haproxy/certs/ alpn h2,http/1.1 accept-proxy
"""
PRODUCTION_ERRORS = f"/etc/haproxy/{ERRORS_FOLDER}"
PRODUCTION_INSTANCES = {"shop-1": "127.0.0.1:8001", "shop-2": "127.0.0.1:8002"}
LOG_FORMAT = (
    "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r %ID"
)
"""That of `option httplog` of HAProxy, with its id of the request."""

_REDIRECT = """\
    http-request redirect scheme https code 308 unless { ssl_fc }

"""
_TEXT = """\
# HAProxy 2.6 or newer in front of several instances of one Gatepost application.
# docs/how-to/balance-the-load.md explains it; `gatepost doctor --haproxy FILE` checks a changed one.

global
{process}    # After a reload, the old process serves its connections for this long at most.
    hard-stop-after 60s

defaults
    mode http
    log global
    # Connections on which nothing was ever sent are not logged.
    option dontlognull
    # The usual line of HAProxy, and at its end the request id of the response (in braces) and HAProxy's own, which
    # stands in the responses that HAProxy makes itself.
    log-format "{log}"

    # Silent and slow clients: how long a request may take to arrive, with its body as far as it fits into a buffer
    # (16 KiB); how long a connection may be idle between two requests; and how long a client may send or read nothing.
    timeout http-request 8s
    option http-buffer-request
    timeout http-keep-alive 8s
    timeout client 30s
    timeout client-fin 5s
    # At a reload, the old process answers the next request of an idle connection, and closes it with the response:
    # a connection that were closed while a request is on its way would leave its client without one.
    option idle-close-on-response

    # An instance that takes no connection within this time is tried again, elsewhere.
    timeout connect 300ms
    # Longer than GATEPOST_REQUEST_SECONDS (15 s) and GATEPOST_STREAM_HEARTBEAT_SECONDS (15 s): the instance decides.
    timeout server 20s
    # How long a request waits for an instance while all of them have their `maxconn`.
    timeout queue 2s

    # Responses that HAProxy makes itself are problem documents. (To a request of which it cannot even read the head,
    # version 2.6 responds with a text of its own.)
{errors}
frontend api
{listeners}
    # Connections of one address at once: one client cannot take all that an instance may hold.
    stick-table type ipv6 size 100k expire 60s store conn_cur
    tcp-request {stage} track-sc0 src
    tcp-request {stage} reject if {{ sc0_conn_cur gt {connections} }}

{redirect}    # The client's address, the scheme and the host, which GATEPOST_TRUSTED_PROXIES lets an instance believe.
    # What clients claim is dropped. Behind another proxy that writes X-Forwarded-For, remove the first line, and name
    # that proxy in GATEPOST_TRUSTED_PROXIES as well.
    http-request del-header X-Forwarded-For
    http-request del-header Forwarded
    option forwardfor
    http-request set-header X-Forwarded-Proto https if {{ ssl_fc }}
    http-request set-header X-Forwarded-Proto http unless {{ ssl_fc }}
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
    http-response capture res.hdr(X-Request-Id) id 0
    declare capture response len 40
    unique-id-format %[uuid()]

{unready}    default_backend instances

backend instances
    # To the instance with the fewest requests in flight: its queue is the shortest.
    balance leastconn
    # An instance that drains, or whose database is away, says 503 here.
    option httpchk GET /readyz
    http-check expect status 200
    timeout check 1s

    # A request that got no response is sent again, the first time already to another instance.
    retries 3
    option redispatch 1
    # 503 is not among these: a request that an instance refused because of overload would only add to the overload.
    retry-on conn-failure empty-response response-timeout
    # A write may have taken effect although its response was lost. Only one that was never sent is tried elsewhere.
    http-request disable-l7-retry unless METH_GET || {{ method HEAD OPTIONS }}

    # Not ready after two failed checks: at most 500 ms until the first, 200 ms until the second, and what they take.
    # GATEPOST_DRAIN_DELAY_SECONDS (3 s) has to be longer. An error that a client meets makes the next check sooner.
    # There is no `on-marked-down shutdown-sessions`: it would cut requests that are about to be answered.
    default-server check inter 500ms fastinter 200ms downinter 300ms fall 2 rise 1
    default-server observe layer7 error-limit 3 on-error fastinter maxconn 4000
    # Idle connections to an instance are closed within seconds, before the instance does so (GATEPOST_HEADER_SECONDS,
    # 8 s): a write that is sent at that very moment would get no response.
    default-server pool-purge-delay 500ms
    # Each instance needs the address from which HAProxy reaches it in GATEPOST_TRUSTED_PROXIES (here 127.0.0.1).
{servers}"""
_UNREADY_RULE = """\
    use_backend unready if { nbsrv(instances) eq 0 }
"""
_UNREADY = """
backend unready
    balance leastconn
    retries 3
    option redispatch 1
{servers}"""


@dataclass(frozen=True)
class HAProxyConfiguration:
    """A configuration for these `instances`: name to `host:port`.

    `process` are lines of the section `global`, `listeners` lines of the frontend, `errors` is the folder with
    `error_files()`. With `accepts_proxy_protocol`, `listeners` have `accept-proxy`, and a client's address is known
    only when that has been read. With `asks_the_unready` requests go to an instance also where none is ready: in
    development each of them says which mistake keeps it from serving.
    """

    instances: Mapping[str, str] = field(default_factory=lambda: dict(PRODUCTION_INSTANCES))
    process: str = PRODUCTION_PROCESS
    listeners: str = PRODUCTION_LISTENERS
    errors: str = PRODUCTION_ERRORS
    connections_per_address: int = CONNECTIONS_PER_ADDRESS
    accepts_proxy_protocol: bool = False
    redirects_to_tls: bool = True
    asks_the_unready: bool = False

    @property
    def text(self) -> str:
        """The whole file."""
        errors = (
            f"    errorfile {response.status} {self.errors}/{response.status}.http\n"
            if response.is_early
            else f"    {response.directive}\n"
            for response in RESPONSES
        )
        servers = "".join(f"    server {name} {address}\n" for name, address in self.instances.items())
        text = _TEXT.format(
            process=self.process,
            log=LOG_FORMAT,
            errors="".join(errors),
            listeners=self.listeners,
            redirect=_REDIRECT if self.redirects_to_tls else "",
            stage="session" if self.accepts_proxy_protocol else "connection",
            connections=self.connections_per_address,
            unready=_UNREADY_RULE if self.asks_the_unready else "",
            servers=servers,
        )
        return text + _UNREADY.format(servers=servers) if self.asks_the_unready else text


def error_files() -> dict[str, str]:
    """The files of the folder `errors`, by name."""
    return {f"{response.status}.http": response.file for response in RESPONSES if response.is_early}


def write_configuration(configuration: HAProxyConfiguration, file: Path, errors: Path) -> None:
    """Write the file, and the folder of its error files."""
    errors.mkdir(parents=True, exist_ok=True)
    for name, text in error_files().items():
        (errors / name).write_bytes(text.encode())
    file.write_text(configuration.text)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write_configuration(HAProxyConfiguration(), folder / "haproxy.cfg", folder / ERRORS_FOLDER)
