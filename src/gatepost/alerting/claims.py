"""Which of several instances tells of an alert that they share: who claims it first in the database.

An instance has a row in `gatepost.alert_claims` as long as the alert fires there. The first of those that live tells
that it fires, and the last that it is resolved; a lock of the transaction keeps two from being the first.
"""

from gatepost.alerting.alerts import Alert
from gatepost.alerting.conditions import SILENT_SECONDS
from gatepost.records.records_database import RecordsConnection

_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('gatepost.alert_claims ' || $1, 0))"
_OTHERS = """
SELECT EXISTS (
  SELECT FROM gatepost.alert_claims AS claim JOIN gatepost.instances AS other ON other.name = claim.instance
  WHERE claim.alert = $1 AND claim.instance <> $2 AND other.stopped_at IS NULL
    AND other.beat_at > now() - make_interval(secs => $3)
)
"""
_CLAIM = """
INSERT INTO gatepost.alert_claims (alert, instance, claimed_at) VALUES ($1, $2, now())
ON CONFLICT (alert, instance) DO UPDATE SET claimed_at = now()
"""
_GIVE_UP = "DELETE FROM gatepost.alert_claims WHERE alert = $1 AND instance = $2"


async def claimed(connection: RecordsConnection, alert: Alert, instance: str) -> bool:
    """Whether this instance is the one that tells of the alert as it is now."""
    async with connection.transaction():
        await connection.execute(_LOCK, alert.name)
        has_others = await connection.fetchval(_OTHERS, alert.name, instance, SILENT_SECONDS)
        if alert.state == "resolved":
            await connection.execute(_GIVE_UP, alert.name, instance)
        else:
            await connection.execute(_CLAIM, alert.name, instance)
    return not has_others
