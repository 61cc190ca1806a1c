"""The configuration of HAProxy in `deploy/compose.yaml`: the rules of `deploy/haproxy.cfg`, in a container.

`python tests/unit/deploy/compose_haproxy.py > deploy/compose/haproxy.cfg` writes it.
"""

import sys

from gatepost.balancer.configuration import PRODUCTION_LISTENERS, HAProxyConfiguration

PROCESS = """\
    # The image's own user; the engine keeps what it prints.
    log stdout format raw local0
    maxconn 20000
    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets
    ssl-default-bind-ciphers ECDHE+AESGCM:ECDHE+CHACHA20
    tune.h2.max-concurrent-streams 100
"""
NAMES = """
# A container that is made again has another address.
resolvers engine
    nameserver dns 127.0.0.11:53
    hold valid 1s
"""
INSTANCES = {name: f"{name}:8000 resolvers engine init-addr libc,none" for name in ("app-1", "app-2")}


def configuration() -> str:
    """The whole file."""
    return HAProxyConfiguration(INSTANCES, PROCESS, PRODUCTION_LISTENERS).text + NAMES


if __name__ == "__main__":
    sys.stdout.write(configuration())
