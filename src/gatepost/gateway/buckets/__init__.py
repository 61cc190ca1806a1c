"""Where the tokens are: in the memory of one process or one machine, or in a Valkey that all machines share.

Behind the limiter, which asks a `BucketGroup` of rules for a key and knows no more of it. `bucket_store.py` is the
interface, `bucket_spec.py` the arithmetic of a bucket; `bucket_table.py` and, for Valkey, `take.lua` store its state.
With `leases.py` a process need not ask for every token.
"""

from gatepost.gateway.buckets.bucket_spec import BucketSpec
from gatepost.gateway.buckets.bucket_store import BucketGroup, Buckets, TakeRefused
from gatepost.gateway.buckets.bucket_table import BucketTable
from gatepost.gateway.buckets.local import LocalBuckets

__all__ = ["BucketGroup", "BucketSpec", "BucketTable", "Buckets", "LocalBuckets", "TakeRefused"]
