"""The tables of the schema `gatepost` beside the record: those that monitors write, and the epoch. Migrations make
them, with the record of what they made."""

from typing import NamedTuple


class RecordTable(NamedTuple):
    """A table: its columns in their order, by which it is known as Gatepost's own, and the statements that make it."""

    columns: tuple[str, ...]
    create: tuple[str, ...]


RECORD_TABLES = {
    "instances": RecordTable(
        ("name", "admin_address", "release", "version", "started_at", "beat_at", "stopped_at"),
        (
            """
CREATE TABLE gatepost.instances (
  name text PRIMARY KEY,
  admin_address text,
  release text,
  version text NOT NULL,
  started_at timestamptz NOT NULL,
  beat_at timestamptz NOT NULL,
  stopped_at timestamptz
)
""",
        ),
    ),
    "changes": RecordTable(
        ("instance", "at", "number", "kind", "summary"),
        (
            """
CREATE TABLE gatepost.changes (
  instance text NOT NULL,
  at timestamptz NOT NULL,
  number bigint NOT NULL,
  kind text NOT NULL,
  summary text NOT NULL,
  PRIMARY KEY (instance, at, number)
)
""",
        ),
    ),
    "error_groups": RecordTable(
        ("instance", "fingerprint", "first_at", "last_at", "count", "resolved_at", "data"),
        (
            """
CREATE TABLE gatepost.error_groups (
  instance text NOT NULL,
  fingerprint text NOT NULL,
  first_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL,
  count bigint NOT NULL,
  resolved_at timestamptz,
  data bytea NOT NULL,
  PRIMARY KEY (instance, fingerprint)
)
""",
        ),
    ),
    "history": RecordTable(
        ("instance", "step_seconds", "at", "data"),
        (
            # In the order in which it is read over all instances, and in which what is old is deleted.
            """
CREATE TABLE gatepost.history (
  instance text NOT NULL,
  step_seconds integer NOT NULL,
  at timestamptz NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (step_seconds, at, instance)
) WITH (toast_tuple_target = 8160)
""",
            # Compressed already. In the table itself three steps of 10 s fit a page, and two of a minute.
            "ALTER TABLE gatepost.history ALTER COLUMN data SET STORAGE EXTERNAL",
        ),
    ),
    "alert_claims": RecordTable(
        ("alert", "instance", "claimed_at"),
        (
            """
CREATE TABLE gatepost.alert_claims (
  alert text NOT NULL,
  instance text NOT NULL,
  claimed_at timestamptz NOT NULL,
  PRIMARY KEY (alert, instance)
)
""",
        ),
    ),
    "alert_deliveries": RecordTable(
        ("instance", "id", "alert", "name", "channel", "state", "attempts", "outcome", "created_at", "ended_at"),
        (
            """
CREATE TABLE gatepost.alert_deliveries (
  instance text NOT NULL,
  id text NOT NULL,
  alert text NOT NULL,
  name text NOT NULL,
  channel text NOT NULL,
  state text NOT NULL,
  attempts integer NOT NULL,
  outcome text NOT NULL,
  created_at timestamptz NOT NULL,
  ended_at timestamptz NOT NULL,
  PRIMARY KEY (instance, id)
)
""",
        ),
    ),
}
"""What monitors read and write."""

EPOCH_TABLE = "epoch"
EPOCH = RecordTable(
    ("one", "epoch", "raised_at"),
    (
        """
CREATE TABLE gatepost.epoch (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  epoch bigint NOT NULL CHECK (epoch > 0),
  raised_at timestamptz NOT NULL DEFAULT now()
)
""",
        # Whatever role serves has to see it.
        "GRANT USAGE ON SCHEMA gatepost TO PUBLIC",
        "GRANT SELECT ON gatepost.epoch TO PUBLIC",
    ),
)
"""One row, or none before the epoch is raised for the first time (`gatepost/epoch.py`)."""

KEPT_TABLES = {**RECORD_TABLES, EPOCH_TABLE: EPOCH}
"""All of them."""
