"""Where an application keeps its rate limits: as it declares, in the Valkey of the settings, or on this machine.

At start, before the request path.
"""

from gatepost.gateway.buckets.bucket_store import Buckets
from gatepost.gateway.buckets.bucket_table import BucketTable
from gatepost.gateway.buckets.local import LocalBuckets
from gatepost.settings import ValkeySettings


def make_buckets(declared: Buckets | None, settings: ValkeySettings, table: BucketTable | None = None) -> Buckets:
    """The buckets that hold. `table` is what the processes of this machine have in common; without it each is alone.

    Raises `ConfigurationError` for a URL that is none, and where the library for it is not installed.
    """
    if declared is None and settings.url is None:
        return LocalBuckets(table)
    from gatepost.gateway.buckets.valkey import ValkeyBuckets

    if declared is None:
        declared = ValkeyBuckets(settings.url or "", prefix=settings.prefix, timeout_seconds=settings.timeout_seconds)
    if isinstance(declared, ValkeyBuckets) and table is not None:
        declared.local = LocalBuckets(table, declared.clock)
    return declared
