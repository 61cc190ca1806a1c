"""An instance says once that the database has another epoch, also one that it did not run to see raised."""

import logging

from tests.integration.records.monitor_contexts import context_of

from gatepost.events import EpochRaised
from gatepost.logging.event_lines import LINES
from gatepost.migrations.epoch_raising import raise_epoch_of
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.deployment_watch import DeploymentWatch
from gatepost.monitor.instances import InstanceBeats
from gatepost.records.change_events import subscribe_changes
from gatepost.records.record_files import RecordFiles
from gatepost.records.reports import Reports

Watch = tuple[MonitorContext, DeploymentWatch, list[EpochRaised]]


def watching(database_url: str, reports: Reports, files: RecordFiles) -> Watch:
    context = context_of(database_url, reports, files=files)
    raised: list[EpochRaised] = []
    context.events.subscribe(EpochRaised, raised.append)
    subscribe_changes(context.events, context.changes.add)
    return context, DeploymentWatch(context, InstanceBeats(context)), raised


async def test_a_raised_epoch_is_a_line_and_a_change_of_the_instance(database_url: str, reports: Reports) -> None:
    files = RecordFiles()
    context, watch, raised = watching(database_url, reports, files)
    await watch.look()
    await watch.look()
    assert raised == [], "what it was at first is no news"

    epoch = await raise_epoch_of(database_url)
    await watch.look()
    await watch.look()
    await context.database.close()
    assert raised == [EpochRaised(epoch, 0)]
    [change] = context.changes.newest_first()
    assert (change.kind, change.summary.partition(":")[0]) == ("database", f"The database has the epoch {epoch}")

    later = await raise_epoch_of(database_url)
    context, watch, raised = watching(database_url, reports, files)
    await watch.look()
    await context.database.close()
    assert raised == [EpochRaised(later, epoch)], "it was raised while no monitor ran"


def test_the_line_is_of_the_category_security() -> None:
    line = LINES[EpochRaised]
    assert (line.name, line.level, line.category) == ("epoch_raised", logging.WARNING, "security")
