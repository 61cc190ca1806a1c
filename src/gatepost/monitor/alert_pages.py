"""The pages of alerts on the admin listener: what there is, and what operators do about it."""

import asyncio
import time
from typing import Annotated, Any, Literal

import msgspec

from gatepost import events
from gatepost.alerting.alerts import REASON_LENGTH_MAX, SILENCE_SECONDS_MAX, Alert
from gatepost.alerting.channels import Channel
from gatepost.alerting.deliveries import OUTCOME_LENGTH_MAX, Delivery
from gatepost.alerting.messages import message_of_test, new_id
from gatepost.alerting.texts import one_line
from gatepost.alerting.undelivered import Undelivered
from gatepost.errors import ConfigurationError
from gatepost.moments import shown_moment, shown_moment_or_none
from gatepost.monitor.alert_records import AlertRecords
from gatepost.monitor.context import MonitorContext
from gatepost.monitor.page_table import Page, Request, json_page

DELIVERIES_SHOWN = 50
TEST_SECONDS_MAX = 7.0
"""Shorter than a page may take."""


class AlertChange(msgspec.Struct, forbid_unknown_fields=True):
    """The body that changes an alert. `seconds` are those of a silence."""

    state: Literal["silenced", "resolved"]
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=REASON_LENGTH_MAX)]
    seconds: Annotated[float, msgspec.Meta(gt=0, le=SILENCE_SECONDS_MAX)] = 3600.0


class AlertPages:
    """Serves them. Alerts belong to the monitor's event loop, so each page asks there."""

    def __init__(self, context: MonitorContext, records: AlertRecords) -> None:
        self._context = context
        self._records = records
        context.pages.add("GET", "/alerts", self._list)
        context.pages.add("GET", "/alerts/", self._show)
        context.pages.add("PUT", "/alerts/", self._change)
        context.pages.add("PUT", "/alert-test", self._test)

    def _list(self, request: Request) -> Page:
        async def found() -> Any:
            records = self._records
            saved = records.alerts.saved()
            return {
                "alerts": [self._shown(alert) for alert in records.alerts.newest_first()],
                "silences": [
                    {"name": each.name, "until": shown_moment(each.until), "reason": each.reason, "by": each.by}
                    for each in saved.silences
                ],
                "objectives": [budget._asdict() for budget in records.budgets(time.time())],
                "channels": [channel.name for channel in records.deliveries.channels],
                "deliveries": [_shown_delivery(each) for each in records.deliveries.newest_first()[:DELIVERIES_SHOWN]],
            }

        return json_page(200, self._context.wait_for(found()))

    def _show(self, request: Request) -> Page:
        async def found() -> Any:
            alert = self._records.alerts.find(request.name)
            if alert is None:
                return None
            sent = [each for each in self._records.deliveries.newest_first() if each.alert == alert.id]
            return {
                **self._shown(alert),
                "followers": [each.id for each in self._records.alerts.followers(alert.id)],
                "deliveries": [_shown_delivery(each) for each in sent],
            }

        body = self._context.wait_for(found())
        return _unknown(request) if body is None else json_page(200, body)

    def _shown(self, alert: Alert) -> dict[str, Any]:
        leader = None if alert.follows is None else self._records.alerts.find(alert.follows)
        return {**shown_alert(alert), "follows_name": None if leader is None else leader.name}

    def _change(self, request: Request) -> Page:
        try:
            change = msgspec.json.decode(request.body, type=AlertChange)
        except msgspec.DecodeError as error:
            return json_page(422, {"detail": f"{error}."})

        async def changed() -> tuple[Alert | None, bool]:
            records = self._records
            if change.state == "silenced":
                return records.silence(request.name, change.seconds, change.reason, request.operator), True
            return records.alerts.resolve(request.name, change.reason, request.operator), False

        try:
            alert, is_silence = self._context.wait_for(changed())
        except ConfigurationError as error:
            return json_page(422, {"detail": str(error)})
        if alert is None and not is_silence:
            return _unknown(request)
        return json_page(200, {"alert": None if alert is None else self._shown(alert)})

    def _test(self, request: Request) -> Page:
        async def sent() -> list[dict[str, Any]]:
            operator, records = request.operator, self._records
            message = message_of_test(self._context.monitored.instance, operator)
            found = await asyncio.gather(*(_outcome(channel, message) for channel in records.deliveries.channels))
            said = ", ".join(f"{each['channel']}: {each['outcome']}" for each in found) or "there is no channel"
            self._context.events.emit(events.AlertsTested(said, operator))
            return found

        return json_page(200, {"deliveries": self._context.wait_for(sent())})


def shown_alert(alert: Alert) -> dict[str, Any]:
    """An alert as JSON."""
    shown = msgspec.structs.asdict(alert)
    for name in ("since", "resolved_at", "silenced_until"):
        shown[name] = shown_moment_or_none(shown[name])
    del shown["is_told"], shown["is_local"]
    return shown


def _shown_delivery(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "alert": delivery.alert,
        "name": delivery.name,
        "channel": delivery.channel,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "outcome": delivery.outcome,
        "created_at": shown_moment(delivery.created_at),
        "ended_at": shown_moment_or_none(delivery.ended_at),
    }


async def _outcome(channel: Channel, message: Any) -> dict[str, Any]:
    try:
        async with asyncio.timeout(TEST_SECONDS_MAX):
            said, is_delivered = await channel.send(new_id(), message), True
    except TimeoutError:
        said, is_delivered = f"no answer within {TEST_SECONDS_MAX:g} s", False
    except Undelivered as error:
        said, is_delivered = str(error), False
    return {"channel": channel.name, "is_delivered": is_delivered, "outcome": one_line(said, OUTCOME_LENGTH_MAX)}


def _unknown(request: Request) -> Page:
    return json_page(404, {"detail": f"There is no such alert: {request.name}. `gatepost alerts list` shows them."})
