"""What alerts keep in their file, so that a monitor that takes the place of another forgets nothing."""

import msgspec

from gatepost.alerting.alerts import Alert, SavedAlerts
from gatepost.alerting.deliveries import Delivery
from gatepost.alerting.objective_counts import SavedCounts
from gatepost.alerting.reported_objectives import JudgedObjective
from gatepost.records.snapshots import Snapshot


class AlertState(msgspec.Struct):
    """All of it. `untold` are alerts as they were when they changed, about which it is not decided who tells."""

    alerts: SavedAlerts = msgspec.field(default_factory=SavedAlerts)
    objectives: list[JudgedObjective] = []
    counts: dict[str, SavedCounts] = {}
    deliveries: list[Delivery] = []
    untold: list[Alert] = []


def load_state(file: Snapshot) -> AlertState:
    """What was saved; nothing where that cannot be read."""
    return file.load_as(AlertState) or AlertState()


def save_state(file: Snapshot, state: AlertState) -> None:
    """Save it. If it does not all fit, the counts by minute are left out: alerts matter more."""
    data = msgspec.msgpack.encode(state)
    if len(data) > file.bytes_max:
        data = msgspec.msgpack.encode(msgspec.structs.replace(state, counts={}))
    if len(data) <= file.bytes_max:
        file.save(data)
