import socket
import sys

import pytest

from gatepost.errors import ConfigurationError
from gatepost.server.listening import STALLED_SECONDS, listen


@pytest.mark.skipif(sys.platform != "linux", reason="RFC 5482 is Linux's alone")
def test_a_connection_inherits_the_bound_of_unread_responses() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        listener.setblocking(True)
        accepted, _ = listener.accept()
        with accepted:
            bound = accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
    assert bound == STALLED_SECONDS * 1000


def test_a_number_beyond_those_of_ports_is_refused_in_a_sentence() -> None:
    with pytest.raises(ConfigurationError, match="65536 is not a port"):
        listen("127.0.0.1", 65_536)
