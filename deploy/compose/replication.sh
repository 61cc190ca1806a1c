#!/bin/bash
# The image's own entry point runs it once, when the primary is made: a role for the standby, and its way in.
set -euo pipefail
psql -v ON_ERROR_STOP=1 -v password="$(cat "$REPLICATION_PASSWORD_FILE")" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE replication LOGIN REPLICATION PASSWORD :'password';
SQL
echo "host replication replication all scram-sha-256" >> "$PGDATA/pg_hba.conf"
