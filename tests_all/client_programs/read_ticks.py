"""Streams by the generated client: both are read to their ends, as texts."""

import sys

from streaming_client import Client
from streaming_client.api.ticks import ticks_events, ticks_lines

client = Client(base_url=sys.argv[1])

events = ticks_events.sync_detailed(client=client)
print(events.status_code, str(events.parsed).count("data: "))

lines = ticks_lines.sync(client=client, count=2)
assert isinstance(lines, str)
print(lines.strip())
