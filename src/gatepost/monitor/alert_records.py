"""`AlertRecords`: judges the instance every few seconds, keeps its alerts, and has them told."""

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from gatepost import events
from gatepost.alerting.alert_state import AlertState, load_state, save_state
from gatepost.alerting.alerts import Alert, Alerts, Transition, error_alert_name
from gatepost.alerting.budgets import Budget, budget_of
from gatepost.alerting.burn_rates import (
    CAUSES,
    FOR_SECONDS,
    FOR_SECONDS_MIN,
    burn_findings,
    page_name,
    told_seconds,
)
from gatepost.alerting.channels import channels_of
from gatepost.alerting.claims import claimed
from gatepost.alerting.conditions import INSTANCE, Conditions, OtherInstance, Surroundings
from gatepost.alerting.deliveries import Deliveries, Delivery
from gatepost.alerting.findings import Finding
from gatepost.alerting.messages import message_of
from gatepost.alerting.objective_counts import CAUSED, PAGED, ObjectiveCounts
from gatepost.alerting.readings import NAMES, reading_of
from gatepost.alerting.reported_objectives import JudgedObjective, ObjectivesReported
from gatepost.alerting.steady_clock import SteadyClock
from gatepost.alerting.texts import sendable
from gatepost.background import stop_if_cancelled
from gatepost.metrics.sums import sums
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.instances import BEAT_SECONDS, InstanceBeats
from gatepost.records.records_database import RecordsAway

LOOK_SECONDS = 5.0
LOOK_SECONDS_MIN = 0.5
STEP_SECONDS = 60.0
SAVE_SECONDS = 60.0
"""Counts are saved so often: what came since, the next monitor finds in memory. All else is saved at once."""

CLAIM_SECONDS = 5.0
"""How long an alert may wait for the database to say who tells of it."""

COPY_SECONDS = 5.0
KEPT_DAYS = 35

_CLAIM_TABLES = ("alert_claims", "instances")
_OTHERS = """
SELECT name, extract(epoch FROM now() - beat_at)::float8 AS seconds FROM gatepost.instances
WHERE name <> $1 AND stopped_at IS NULL AND beat_at > now() - interval '1 day'
"""
# What a server before this one claimed, and has forgotten, would keep others silent.
_GIVE_UP = "DELETE FROM gatepost.alert_claims WHERE instance = $1 AND alert <> ALL ($2::text[])"
_INSERT = """
INSERT INTO gatepost.alert_deliveries
  (instance, id, alert, name, channel, state, attempts, outcome, created_at, ended_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING
"""
_FORGET = "DELETE FROM gatepost.alert_deliveries WHERE instance = $1 AND ended_at < now() - make_interval(days => $2)"


class AlertRecords:
    """The part of the monitor. `alerts` are those of this instance, `deliveries` what was sent of them. `find_others`
    says what else is wrong at a moment (seconds since the epoch)."""

    def __init__(
        self,
        context: MonitorContext,
        beats: InstanceBeats,
        find_others: Callable[[float], Iterable[Finding]] = lambda _: (),
    ) -> None:
        of = context.monitored
        self._context = context
        self._beats = beats
        self._find_others = find_others
        self._scale = of.settings.alerts.time_scale
        self._file = of.files.snapshot("alerts")
        state = load_state(self._file)
        self._untold = state.untold
        self._counts = {each.name: self._counts_of(each, state) for each in state.objectives}
        self._conditions = Conditions(self._scale)
        self._others: list[OtherInstance] | None = None
        self._must_tell = asyncio.Event()
        self._clock = SteadyClock()
        self._save_at = 0.0
        self._has_looked = False
        folders = [of.settings.log.folder, of.files.folder, Path.cwd()]
        self._folders = [os.path.realpath(folder) for folder in folders if folder is not None]
        self.alerts = Alerts(self._note, saved=state.alerts, scale=self._scale)
        self.deliveries = Deliveries(
            channels_of(of.settings), state.deliveries, changed=self._save, failed=self._note_failure
        )
        context.handle(ObjectivesReported, self._take_objectives)
        context.events.subscribe(events.ErrorGroupFound, self._note_error_group)
        context.events.subscribe(events.ErrorGroupResolved, self._resolve_error_group)

    async def run(self) -> None:
        """Look, tell and send, without end."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._look())
            group.create_task(self._tell())
            group.create_task(self._ask_for_others())
            group.create_task(self._copy())
            for channel in self.deliveries.channels:
                group.create_task(self.deliveries.run(channel))

    def silence(self, name: str, seconds: float, reason: str, operator: str) -> Alert | None:
        """As an operator asks. Raises ConfigurationError."""
        if not self._has_looked:  # only a look says which alerts there could be
            self._look_once()
        found = self.alerts.silence(name, seconds, reason, operator)
        silenced = name if found is None else found.name
        self._context.events.emit(events.AlertSilenced(silenced, seconds, reason, operator))
        self._save()
        return found

    def budgets(self, now: float) -> list[Budget]:
        """What is left of the budget of each objective."""
        return [budget_of(counts, now, STEP_SECONDS * self._scale) for counts in self._counts.values()]

    async def _look(self) -> None:
        while True:
            self._look_once()
            await asyncio.sleep(max(LOOK_SECONDS_MIN, LOOK_SECONDS * self._scale))

    def _look_once(self) -> None:
        database = self._context.database
        with self._context.monitored.memory.regions() as regions:
            reading = reading_of(sums(regions, NAMES), self._folders)
        now = self._clock()
        around = Surroundings(
            self._beats.clock_offset_seconds,
            [change.at for change in self._context.changes.newest_first() if change.kind == "worker_death"],
            self._others,
            database.name_conflict if database.is_name_taken else "",
        )
        findings = [*self._conditions.look(reading, around, now), *self._find_others(now)]
        for counts in self._counts.values():
            counts.look(reading.requests, now, self._context.monitored.started_at)
            self._mark(counts, now)
            findings += burn_findings(counts, now, self._scale)
        self.alerts.look(findings, INSTANCE if self._others is None else None)
        if now >= self._save_at:
            self._save()
        self._has_looked = True

    def _mark(self, counts: ObjectiveCounts, now: float) -> None:
        """Say which bad requests of an objective are explained by the alert of a cause, and which the page about it has
        told of."""
        scale, page = self._scale, page_name(counts.objective.name)
        if (seconds := self.alerts.held_seconds(CAUSES)) is not None:
            counts.mark(CAUSED, now - seconds - max(FOR_SECONDS * scale, FOR_SECONDS_MIN), now)
        if (seconds := self.alerts.held_seconds((page,))) is not None:
            counts.mark(PAGED, now - seconds - told_seconds(counts, now, scale), now)

    async def _tell(self) -> None:
        of = self._context.monitored
        while True:
            while self._untold:
                alert = self._untold[0]
                is_ours, note = await self._claim(alert)
                if is_ours and self.deliveries.channels:
                    followers = [sendable(each.name) for each in self.alerts.followers(alert.id)]
                    message = message_of(alert, of.instance, of.release, note, followers)
                    self.deliveries.add(alert.id, alert.name, message)
                self._untold.pop(0)
                stop_if_cancelled()
                self._save()
            await self._must_tell.wait()
            self._must_tell.clear()

    async def _claim(self, alert: Alert) -> tuple[bool, str | None]:
        """Whether this instance tells of an alert, and why others may as well."""
        if alert.is_local:
            return True, None
        database = self._context.database
        try:
            async with asyncio.timeout(CLAIM_SECONDS), database.copying(*_CLAIM_TABLES) as connection:
                return await claimed(connection, alert, self._context.monitored.instance), None
        except RecordsAway as error:
            reason = str(error)
        except TimeoutError:
            reason = f"The database does not answer within {CLAIM_SECONDS:g} s."
        return True, f"Each instance that sees this sends it by itself. {reason}"

    async def _ask_for_others(self) -> None:
        database, instance = self._context.database, self._context.monitored.instance
        here_since: float | None = None
        while True:
            try:
                async with asyncio.timeout(CLAIM_SECONDS), database.copying(*_CLAIM_TABLES) as connection:
                    rows = await connection.fetch(_OTHERS, instance)
                    await connection.execute(_GIVE_UP, instance, self._open_names())
            except (RecordsAway, TimeoutError):
                self._others, here_since = None, None
            else:
                now = time.monotonic()
                here_since = now if here_since is None else here_since
                self._others = [OtherInstance(row["name"], row["seconds"], now - here_since) for row in rows]
            stop_if_cancelled()
            await asyncio.sleep(BEAT_SECONDS)

    async def _copy(self) -> None:
        instance = self._context.monitored.instance
        while True:
            stop_if_cancelled()
            await asyncio.sleep(COPY_SECONDS)
            if new := self.deliveries.uncopied():
                try:
                    async with self._context.database.copying("alert_deliveries") as connection:
                        await connection.executemany(_INSERT, [(instance, *_row(each)) for each in new])
                        await connection.execute(_FORGET, instance, KEPT_DAYS)
                except RecordsAway:
                    continue
                for each in new:
                    each.is_copied = True
                self._save()

    def _take_objectives(self, report: ObjectivesReported) -> None:
        if report.objectives == [each.objective for each in self._counts.values()]:
            return
        state = self._state()
        self._counts = {each.name: self._counts_of(each, state) for each in report.objectives}
        self._save()

    def _counts_of(self, objective: JudgedObjective, state: AlertState) -> ObjectiveCounts:
        return ObjectiveCounts(objective, STEP_SECONDS * self._scale, state.counts.get(objective.name))

    def _note(self, transition: Transition) -> None:
        alert, emit = transition.alert, self._context.events.emit
        if transition.to == "firing":
            leader = None if alert.follows is None else self.alerts.find(alert.follows)
            follows = None if leader is None else leader.name
            emit(events.AlertFired(alert.id, alert.name, alert.severity, alert.sentence, follows))
        elif transition.to == "resolved":
            if transition.by is None:
                emit(events.AlertResolved(alert.id, alert.name, alert.sentence))
            else:
                emit(events.AlertDismissed(alert.id, alert.name, alert.reason or "", transition.by))
        if (transition.to == "firing" and alert.follows is None) or (transition.to == "resolved" and alert.is_told):
            self._untold.append(alert)
            self._must_tell.set()
        self._save()

    def _note_error_group(self, event: events.ErrorGroupFound) -> None:
        news = "has come back since it was resolved" if event.has_returned else "was not known before"
        sentence = f"An error {news}: {event.kind} in {event.where}."
        look_at = f"gatepost errors show {event.fingerprint}"
        self._soon(lambda: self.alerts.note_error_group(event.fingerprint, sentence, look_at))

    def _resolve_error_group(self, event: events.ErrorGroupResolved) -> None:
        name = error_alert_name(event.fingerprint)
        self._soon(lambda: self.alerts.resolve(name, "The errors are resolved.", event.operator))

    def _soon(self, change: Callable[[], object]) -> None:
        """Change alerts on the monitor's event loop: events come from threads of pages as well."""
        self._context.loop.call_soon_threadsafe(change)

    def _note_failure(self, delivery: Delivery) -> None:
        self._context.events.emit(
            events.AlertNotDelivered(
                delivery.name, delivery.channel, delivery.outcome, delivery.attempts, delivery.state == "failed"
            )
        )

    def _state(self) -> AlertState:
        counts = {name: saved for name, each in self._counts.items() if (saved := each.saved()) is not None}
        return AlertState(
            self.alerts.saved(),
            [each.objective for each in self._counts.values()],
            counts,
            self.deliveries.newest_first()[::-1],
            self._untold,
        )

    def _open_names(self) -> list[str]:
        return [alert.name for alert in self.alerts.newest_first() if alert.state != "resolved"]

    def _save(self) -> None:
        self._save_at = self._clock() + SAVE_SECONDS
        save_state(self._file, self._state())


def _row(delivery: Delivery) -> tuple[object, ...]:
    ended_at = delivery.created_at if delivery.ended_at is None else delivery.ended_at
    return (
        delivery.id,
        delivery.alert,
        delivery.name,
        delivery.channel,
        delivery.state,
        delivery.attempts,
        delivery.outcome,
        datetime.fromtimestamp(delivery.created_at, UTC),
        datetime.fromtimestamp(ended_at, UTC),
    )
