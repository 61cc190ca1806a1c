#!/bin/bash
# The image's own entry point runs it once, when the primary is made: a role for the standby, and its way in.
set -euo pipefail
psql -v ON_ERROR_STOP=1 -v password="$(cat "$REPLICATION_PASSWORD_FILE")" --username "$POSTGRES_USER" --dbname postgres <<'SQL'
CREATE ROLE replication LOGIN REPLICATION PASSWORD :'password';
-- From its next start on, which follows, a commit is acknowledged when the standby has it. Without the standby, commits wait:
-- ALTER SYSTEM RESET synchronous_standby_names, and SELECT pg_reload_conf(), lets them go on.
ALTER SYSTEM SET synchronous_standby_names = 'standby';
SQL
echo "host replication replication all scram-sha-256" >> "$PGDATA/pg_hba.conf"
