#!/bin/bash
# A copy of the primary the first time, and from then on a standby that follows it.
set -euo pipefail
export PGDATA=${PGDATA:-/var/lib/postgresql/18/docker}
PGPASSWORD=$(cat "$REPLICATION_PASSWORD_FILE")
export PGPASSWORD
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  install -d -o postgres -g postgres -m 700 "$PGDATA"
  gosu postgres pg_basebackup -D "$PGDATA" -R -X stream -c fast \
    -d "host=primary user=replication application_name=standby"
fi
exec gosu postgres postgres -c hot_standby=on -c max_connections=200
