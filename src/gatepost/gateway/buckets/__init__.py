"""Where the tokens are: in the memory of one process or one machine, or in a Valkey that all machines share.

Behind the limiter, which asks a `Group` of rules for a key and knows no more of it. What a bucket is stands in
`rules.py`, what is kept of one in `table.py` and, for Valkey, in `take.lua`; `leases.py` keeps processes from asking
for every token.
"""

from gatepost.gateway.buckets.local import LocalBuckets
from gatepost.gateway.buckets.rules import Buckets, Group, Refusal, Rule
from gatepost.gateway.buckets.table import Table

__all__ = ["Buckets", "Group", "LocalBuckets", "Refusal", "Rule", "Table"]
