"""Every constant of admission under overload, in one place.

`admission.py` and `concurrency_limit.py` say how they are used; decision 0022 has the measurements behind them.
"""

from dataclasses import dataclass

MILLISECONDS = 1_000_000
"""In nanoseconds, in which all times here are."""


@dataclass(frozen=True, slots=True)
class AdmissionRule:
    """How requests wait, are served and are refused where more is asked for than can be done."""

    pass_ns: int = 3 * MILLISECONDS
    """One pass of the event loop begins no more requests than fit into this time."""

    timer_lag_ns: int = 900_000
    """A timer of an idle loop may be as late as this, because the loop counts in milliseconds."""

    newest_first_ns: int = 100 * MILLISECONDS
    """Once the oldest request has waited this long, the newest is served first: its client is still there."""

    oldest_first_ns: int = 50 * MILLISECONDS
    """Once the oldest request has waited for less than this, the oldest is served first again."""

    refusal_share: float = 0.05
    """Refusals may take this share of the wall clock, so that clients that retry at once cannot displace service."""

    refusal_credit_ns: int = 20 * MILLISECONDS
    """Time for refusals that was not used is kept up to this much, and overdrawn by no more."""

    refusal_cost_factor: float = 2.4
    """A refusal costs this many times what it takes of the event loop: the HTTP library's threads write the response,
    and a client that retries at once sends a request that has to be weighed again."""

    refusal_first_ns: int = 60_000
    """A refusal is taken to cost this until some have been measured."""

    refusal_max_ns: int = 1 * MILLISECONDS
    """A refusal is taken to cost no more than this: above it, it is the process that was stopped."""

    refusal_cost_smoothing: float = 0.1
    """The cost of a refusal moves this far towards what the last batch of them took."""

    enqueue_max_ns: int = 200_000
    """Weighing a request that has to wait is taken to cost no more than this: above it, the process was interrupted."""

    retry_seconds_max: int = 3
    """`Retry-After` is drawn from 1 to this, so that refused clients do not all come back together."""

    sample_every: int = 4
    """Of requests that run beside others, one in this many is measured for the concurrency limit."""

    limit_first: int = 256
    """A process that has measured nothing yet runs this many requests at once."""

    limit_min_busy: int = 4
    """A busy process runs at least this many at once, or it would idle while they wait for the database."""

    limit_min_idle: int = 32
    """A process with time to spare runs at least this many: then it is something else that is slow."""

    limit_max: int = 4096
    """The limit grows no further than this."""

    busy_share: float = 0.5
    """The process is busy when its event loop uses more than this share of a processor; other threads use the rest."""

    window_ns: int = 50 * MILLISECONDS
    """The limit is adapted once in this time."""

    baseline_smoothing: float = 0.02
    """The baseline latency of a route moves this far towards the time of a request that ran alone."""

    slow_ratio: float = 2.0
    """The limit shrinks where requests take more than this many times their baseline."""

    fast_ratio: float = 1.5
    """The limit grows, where it was reached, while requests take less than this many times their baseline."""

    latency_tolerated_ns: int = 8 * MILLISECONDS
    """The limit never shrinks while requests take less than this: cheap ones may queue a little."""

    request_cpu_first_ns: int = 500_000
    """A request is taken to cost this much CPU until some have been measured."""


RULE = AdmissionRule()
"""The rule in operation; tests try others."""
