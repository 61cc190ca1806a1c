"""What subscribers are called with, and that no layer notices when one raises."""

import pytest

from gatepost.events import DatabaseLost, DatabaseRestored, Events, SubscriberFailed

LOST = DatabaseLost("gone", "db:5432")


def _raises(event: DatabaseLost) -> None:
    raise ValueError("a bug in a subscriber")


def test_an_event_without_a_subscriber_has_no_emitter() -> None:
    assert Events().emitter(DatabaseLost) is None


def test_subscribers_are_called_in_order() -> None:
    events, called = Events(), list[str]()
    events.subscribe(DatabaseLost, lambda event: called.append(f"first {event.reason}"))
    events.subscribe(DatabaseLost, lambda event: called.append(f"second {event.reason}"))
    emit = events.emitter(DatabaseLost)
    assert emit is not None
    emit(LOST)
    assert called == ["first gone", "second gone"]


@pytest.mark.parametrize("position", [0, 1])
def test_a_subscriber_that_raises_keeps_no_other_from_its_event(position: int) -> None:
    events, called = Events(), list[DatabaseLost]()
    subscribers = [called.append]
    subscribers.insert(position, _raises)
    for subscriber in subscribers:
        events.subscribe(DatabaseLost, subscriber)
    emit = events.emitter(DatabaseLost)
    assert emit is not None
    emit(LOST)
    assert called == [LOST]


def test_a_subscriber_that_raises_is_told_of_once_and_counted() -> None:
    events, told = Events(), list[SubscriberFailed]()
    events.subscribe(SubscriberFailed, told.append)
    events.subscribe(DatabaseLost, _raises)
    emit = events.emitter(DatabaseLost)
    assert emit is not None
    for _ in range(3):
        emit(LOST)
    (failure,) = told
    assert (failure.event_name, failure.subscriber) == ("DatabaseLost", f"{__name__}._raises")
    assert isinstance(failure.error, ValueError)
    assert events.failures == {f"{__name__}._raises": 3}


def test_a_subscriber_to_failures_that_fails_is_counted_alone() -> None:
    def fails(event: SubscriberFailed) -> None:
        raise RuntimeError("the log is gone")

    events = Events()
    events.subscribe(SubscriberFailed, fails)
    events.subscribe(DatabaseLost, _raises)
    assert events.emit(LOST)
    assert sorted(events.failures.values()) == [1, 1]


def test_emitting_says_whether_anything_subscribed() -> None:
    events, called = Events(), list[DatabaseLost]()
    assert not events.emit(LOST)
    events.subscribe(DatabaseLost, called.append)
    assert events.emit(LOST)
    assert called == [LOST]


def test_subscribing_to_what_a_composed_layer_emits_is_refused() -> None:
    events = Events()
    events.emitter(DatabaseLost)
    with pytest.raises(RuntimeError, match="_raises subscribed to DatabaseLost too late"):
        events.subscribe(DatabaseLost, _raises)
    events.subscribe(DatabaseRestored, lambda event: None)
    assert events.emitter(DatabaseRestored) is not None


def test_an_app_that_is_stopped_takes_subscriptions_for_its_next_start() -> None:
    events = Events()
    events.emitter(DatabaseLost)
    events.reopen()
    events.subscribe(DatabaseLost, _raises)
    assert events.emitter(DatabaseLost) is not None
