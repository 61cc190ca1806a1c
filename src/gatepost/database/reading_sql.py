"""Whether SQL that a service sends does nothing but read: then a lost connection leaves nothing in doubt.

Says yes only where that is certain by the text: a SELECT whose functions are all known. Everything else may write.
"""

import re
from functools import lru_cache

_BEGINS = re.compile(
    r"\s*(?:\(\s*)*(?:SELECT|WITH|VALUES|TABLE|SHOW|SAVEPOINT|RELEASE|ROLLBACK|SET|LOCK|DECLARE|FETCH|MOVE|CLOSE)\b",
    re.IGNORECASE,
)
_LITERAL = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"(?!\s*\()")
_LOCKS = re.compile(r"\bFOR\s+(?:NO\s+KEY\s+)?UPDATE\b", re.IGNORECASE)
_WRITES = re.compile(r"\b(?:INSERT|UPDATE|DELETE|MERGE|INTO|CREATE|COPY|CALL|DO)\b|--|/\*|\$\w*\$", re.IGNORECASE)
_CALL = re.compile(r"([\w.\"]+)\s*\(")

_NOT_CALLS = """
    all and any array as between by case cast check cube distinct else end except exists extract filter from group
    grouping having in intersect interval is join lateral like ilike limit not of offset on or order over partition
    position recursive rollup row select sets similar some substring then to trim tuple union using values when where
    within materialized
    bigint bit char character decimal double float int integer numeric precision real smallint text time timestamp
    timestamptz timetz varchar varying zone
"""
_FUNCTIONS = """
    abs age array_agg array_length array_position array_to_string avg bool_and bool_or btrim cardinality ceil ceiling
    char_length coalesce concat concat_ws count cume_dist current_setting date_bin date_part date_trunc dense_rank every
    first_value floor generate_series greatest initcap json_agg json_array_length json_build_object json_object_agg
    jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object
    jsonb_each jsonb_object_agg jsonb_typeof lag last_value lead least left length lower lpad ltrim make_date
    make_interval max md5 min mod now ntile nullif octet_length overlay percent_rank percentile_cont percentile_disc
    pg_backend_pid pg_sleep power rank regexp_match regexp_replace repeat replace reverse right round row_number
    row_to_json rpad rtrim sign similarity split_part sqrt starts_with statement_timestamp stddev string_agg
    string_to_array strpos sum to_char to_date to_json to_jsonb to_number to_timestamp to_tsquery to_tsvector
    clock_timestamp transaction_timestamp translate trunc ts_rank ts_rank_cd unnest upper variance plainto_tsquery
    websearch_to_tsquery phraseto_tsquery word_similarity width_bucket
"""
_HARMLESS = frozenset((_NOT_CALLS + _FUNCTIONS).split())


@lru_cache(maxsize=1024)
def only_reads(sql: str) -> bool:
    """Whether this statement changes no row, by its text. False where that is not certain."""
    if _BEGINS.match(sql) is None or "\\" in sql:  # an escape may end a literal elsewhere
        return False
    bare = _LOCKS.sub("", _LITERAL.sub("''", sql))
    if _WRITES.search(bare) is not None:
        return False
    return all(name.lower() in _HARMLESS for name in _CALL.findall(bare))
