"""Finding the table of a server that runs on this machine. For operators, outside the request path.

The table has no name in any folder; the processes that use it hold it, and the system shows what they hold.
"""

import os
from pathlib import Path

from gatepost.gateway.buckets.bucket_table import BucketTable, table_name

PROCESSES = Path("/proc")


def find_table(port: int) -> BucketTable | None:
    """The table of the server on this port; None where there is no such server of this user's, or no `/proc`."""
    wanted = f"/memfd:{table_name(port)}"
    for held in PROCESSES.glob("[0-9]*/fd/*"):
        try:
            if os.readlink(held).removesuffix(" (deleted)") == wanted:
                return BucketTable.opened(os.open(held, os.O_RDWR))
        except OSError:  # another user's, or gone meanwhile
            continue
    return None
