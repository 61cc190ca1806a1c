"""How the lists of an API are paged."""

import msgspec


class Paging(msgspec.Struct, frozen=True):
    """The paging of all lists of an API. With `by_offset` they take `offset` in place of cursors, for clients that know
    nothing else; with `always_counts` the total is counted whether a request asks for it or not."""

    by_offset: bool = False
    always_counts: bool = False


BY_CURSORS = Paging()
"""What an API has that says nothing else."""
