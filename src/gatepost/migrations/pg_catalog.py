"""What a database has, as PostgreSQL describes it: two databases with equal catalogues have equal schemas.

Used to find what was changed by hand: the migration files are run in an empty database, and the two compared.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, text

_CATALOG = text("""
    WITH schemas AS (
      SELECT oid, nspname, CASE WHEN nspname = current_schema() THEN '' ELSE nspname || '.' END AS prefix
      FROM pg_namespace WHERE nspname = current_schema() OR nspname = ANY (:schemas)
    ), tables AS (
      SELECT class.oid, prefix || relname AS relname, prefix
      FROM pg_class AS class JOIN schemas ON schemas.oid = relnamespace
      WHERE relkind IN ('r', 'p') AND relname NOT IN ('alembic_version', 'gatepost_schema')
        AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = class.oid AND deptype = 'e')
    )
    SELECT 'table ' || relname, '' FROM tables
    UNION ALL
    SELECT 'column ' || relname || '.' || attname,
           format_type(atttypid, atttypmod) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END
           || coalesce(' DEFAULT ' || pg_get_expr(adbin, adrelid), '')
    FROM tables JOIN pg_attribute ON attrelid = tables.oid AND attnum > 0 AND NOT attisdropped
    LEFT JOIN pg_attrdef ON adrelid = tables.oid AND adnum = attnum
    UNION ALL
    SELECT 'constraint ' || conname || ' on ' || relname, pg_get_constraintdef(pg_constraint.oid)
    FROM tables JOIN pg_constraint ON conrelid = tables.oid AND contype <> 'n'
    UNION ALL
    SELECT 'index ' || prefix || class.relname || ' on ' || tables.relname, pg_get_indexdef(indexrelid)
    FROM tables JOIN pg_index ON indrelid = tables.oid JOIN pg_class AS class ON class.oid = indexrelid
    UNION ALL
    SELECT 'trigger ' || tgname || ' on ' || relname,
           pg_get_triggerdef(pg_trigger.oid) || CASE WHEN tgenabled = 'D' THEN ' DISABLED' ELSE '' END
    FROM tables JOIN pg_trigger ON tgrelid = tables.oid AND NOT tgisinternal
    UNION ALL
    SELECT 'function ' || prefix || proname, prosrc
    FROM pg_proc JOIN schemas ON schemas.oid = pronamespace
    WHERE prorettype = 'trigger'::regtype
      AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
    UNION ALL
    SELECT 'enum ' || prefix || typname, string_agg(enumlabel, ', ' ORDER BY enumsortorder)
    FROM pg_type JOIN pg_enum ON enumtypid = pg_type.oid JOIN schemas ON schemas.oid = typnamespace
    GROUP BY prefix, typname
    ORDER BY 1
""")


def read_catalog(connection: Connection, schemas: Sequence[str] = ()) -> dict[str, str]:
    """Everything in the default schema and in these others, by kind and name, with its definition."""
    return {row[0]: row[1] for row in connection.execute(_CATALOG, {"schemas": list(schemas)})}


def catalog_differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """One sentence for each thing in which the found catalogue differs; a table speaks for what is in it."""
    missing = _without_parts([name for name in expected if name not in found])
    added = _without_parts([name for name in found if name not in expected])
    differences = [f"the {name} is missing" for name in missing]
    differences += [f"the {name} is not from any migration file" for name in added]
    for name, definition in expected.items():
        if name in found and found[name] != definition:
            before, after = " ".join(definition.split()), " ".join(found[name].split())
            differences.append(f"the {name} is {after!r} instead of {before!r}")
    return sorted(differences)


def _without_parts(names: list[str]) -> list[str]:
    tables = [name.removeprefix("table ") for name in names if name.startswith("table ")]
    parts = tuple(f"column {table}." for table in tables), tuple(f" on {table}" for table in tables)
    return [name for name in names if not name.startswith(parts[0]) and not name.endswith(parts[1])]
