"""`SteadyClock`: moments whose differences are true, whatever becomes of the machine's clock meanwhile.

What has to last for a minute must not last for an hour because somebody has set the clock back by that.
"""

import time


class SteadyClock:
    """The time in seconds since the epoch as it was when this was made, and from then on by a clock that is never
    set."""

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()

    def __call__(self) -> float:
        """Now."""
        return time.monotonic() + self._ahead
