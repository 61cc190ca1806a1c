"""Error groups as operators read them."""

from collections.abc import Iterable
from typing import Any

from gatepost.moments import shown_moment, shown_moment_or_none
from gatepost.records.error_groups import ACTORS_MAX, RELEASES_MAX, SAMPLES_MAX, ErrorGroup
from gatepost.records.folded_tracebacks import folded


def merged(found: Iterable[tuple[str, ErrorGroup]]) -> list[tuple[ErrorGroup, list[str]]]:
    """One group for each fingerprint, with the instances that met it; the one that happened last first."""
    groups: dict[str, tuple[ErrorGroup, list[str]]] = {}
    for instance, group in found:
        known = groups.get(group.fingerprint)
        groups[group.fingerprint] = (
            (group, [instance]) if known is None else (_sum(known[0], group), [*known[1], instance])
        )
    return sorted(groups.values(), key=lambda each: each[0].last_at, reverse=True)


def shown_group(group: ErrorGroup, instances: list[str]) -> dict[str, Any]:
    """What a list shows of a group. `users` counts up to ACTORS_MAX."""
    return {
        "id": group.fingerprint,
        "state": "resolved" if group.is_resolved else "open",
        "kind": group.kind,
        "where": group.where,
        "message": group.message,
        "count": group.count,
        "users": min(len(group.actors), ACTORS_MAX),
        "first_at": shown_moment(group.first_at),
        "last_at": shown_moment(group.last_at),
        "resolved_at": shown_moment_or_none(group.resolved_at),
        "returned_at": shown_moment_or_none(group.returned_at),
        "releases": group.releases,
        "instances": instances,
    }


def shown_samples(group: ErrorGroup) -> list[dict[str, Any]]:
    """The errors of which more is known, the last one first."""
    samples = sorted(group.read_samples(), key=lambda sample: sample.at, reverse=True)
    return [
        {
            "at": shown_moment(sample.at),
            "request_id": sample.request_id,
            "method": sample.method,
            "route": sample.route,
            "operation": sample.operation,
            "during": sample.during,
            "release": sample.release,
            "traceback": sample.traceback,
            "own_files": sample.own_files,
            "folded": folded(sample.traceback, sample.own_files),
            "before": [
                {"at": shown_moment(event.at), "event": event.name, "fields": event.fields} for event in sample.before
            ],
        }
        for sample in samples
    ]


def _sum(one: ErrorGroup, other: ErrorGroup) -> ErrorGroup:
    last = max(one, other, key=lambda group: group.last_at)
    resolved = [group.resolved_at for group in (one, other) if group.resolved_at is not None]
    returned = [group.returned_at for group in (one, other) if group.returned_at is not None]
    return ErrorGroup(
        fingerprint=one.fingerprint,
        kind=one.kind,
        where=one.where,
        message=last.message,
        count=one.count + other.count,
        first_at=min(one.first_at, other.first_at),
        last_at=last.last_at,
        releases=sorted({*one.releases, *other.releases})[-RELEASES_MAX:],
        actors=one.actors | other.actors,
        samples=(last.samples + [data for data in (*one.samples, *other.samples) if data not in last.samples])[
            :SAMPLES_MAX
        ],
        resolved_at=max(resolved, default=None),
        returned_at=max(returned, default=None),
    )
