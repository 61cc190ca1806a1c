"""Words before a bracket in SQL that are harmless: functions that only compute, and words that call nothing.

A function is listed where PostgreSQL itself says that it neither writes nor leaves anything behind (a test asks it for
each one), and where services are likely to use it. What is not listed may do anything.
"""

NOT_CALLS = """
    all and any array as between bigint bit by case cast char character check conflict cube decimal distinct double
    else end except exists extract filter float from group grouping having ilike in int integer intersect interval
    is join lateral like limit materialized not numeric of offset on or order over partition position precision real
    recursive returning rollup row select sets similar smallint some substring text then time timestamp timestamptz
    timetz to trim tuple union using values varchar varying when where with within zone
"""

_PURE = """
    abs acos array_agg array_append array_cat array_dims array_fill array_length array_lower array_ndims
    array_position array_positions array_prepend array_remove array_replace array_to_json array_to_string
    array_upper ascii asin atan atan2 avg bit_and bit_length bit_or bit_xor bool_and bool_or broadcast btrim
    cardinality cbrt ceil ceiling char_length character_length chr coalesce concat concat_ws convert_from convert_to
    corr cos cot count covar_pop covar_samp cume_dist date_bin date_part date_trunc datemultirange daterange decode
    degrees dense_rank div encode every exp factorial family first_value floor format gcd generate_series get_bit
    get_byte greatest host hostmask initcap int4multirange int4range int8multirange int8range isempty isfinite
    json_agg json_array_elements json_array_elements_text json_array_length json_build_array json_build_object
    json_each json_each_text json_extract_path json_extract_path_text json_object json_object_agg json_object_keys
    json_populate_record json_populate_recordset json_strip_nulls json_to_record json_to_recordset json_typeof
    jsonb_agg jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object
    jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_agg
    jsonb_object_keys jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array
    jsonb_path_query_first jsonb_populate_record jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax
    jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_typeof justify_days justify_hours justify_interval
    lag last_value lcm lead least left length ln log log10 lower lower_inc lower_inf lpad ltrim make_date
    make_interval make_time make_timestamp make_timestamptz masklen max md5 min mod mode multirange netmask network
    normalize nth_value ntile nullif num_nonnulls num_nulls numeric nummultirange numnode numrange octet_length
    overlay parse_ident percent_rank percentile_cont percentile_disc pg_input_is_valid pg_size_pretty pg_typeof
    phraseto_tsquery pi plainto_tsquery point position power querytree quote_ident quote_literal quote_nullable
    radians range_agg range_intersect_agg range_merge rank regexp_count regexp_instr regexp_like regexp_match
    regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr regr_count regr_r2
    regr_slope repeat replace reverse right round row_number row_to_json rpad rtrim scale setweight sha224 sha256
    sha384 sha512 sign similarity sin split_part sqrt starts_with stddev stddev_pop stddev_samp string_agg
    string_to_array string_to_table strip strpos substr sum tan timezone to_char to_date to_hex to_json to_jsonb
    to_number to_timestamp to_tsquery to_tsvector translate trim_array trim_scale trunc ts_delete ts_headline
    ts_rank ts_rank_cd tsmultirange tsrange tstzmultirange tstzrange tsvector_to_array unistr unnest upper upper_inc
    upper_inf var_pop var_samp variance websearch_to_tsquery width_bucket word_similarity xmlagg xmlelement
    xmlforest
"""

_IMPURE = """
    age clock_timestamp col_description current_database current_schema current_schemas current_setting
    gen_random_uuid generate_subscripts has_column_privilege has_schema_privilege has_table_privilege now
    obj_description pg_backend_pid pg_get_serial_sequence pg_sleep random statement_timestamp timeofday to_regclass
    transaction_timestamp txid_current uuidv4 uuidv7
"""
"""Their result depends on more than their arguments: the time, chance, the session, the catalog. Those that format by a
setting of the connection, such as `to_char`, are not among them: all connections have the same settings."""

FUNCTIONS = _PURE + _IMPURE

_OF_TRANSACTION = """
    nextval pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_notify pg_try_advisory_xact_lock
    pg_try_advisory_xact_lock_shared
"""
"""They write, and leave nothing that a transaction does not end, but for the `currval` of a sequence from which the ORM
draws its keys."""

VOLATILE = frozenset((_IMPURE + _OF_TRANSACTION).split())
"""Functions whose result depends on more than their arguments."""

_VARIABLES = """
    current_catalog current_date current_role current_schema current_time current_timestamp current_user localtime
    localtimestamp session_user system_user user
"""
VARIABLES = frozenset(_VARIABLES.split())
"""Words that are such a function without brackets."""

LASTING = frozenset(
    {
        "pg_advisory_lock",
        "pg_advisory_lock_shared",
        "pg_try_advisory_lock",
        "pg_try_advisory_lock_shared",
        "set_config",
        "setseed",
    }
)
"""Functions that leave something on the connection by design; noted in compiled statements as well, since a policy may
call them."""

HARMLESS = frozenset((NOT_CALLS + FUNCTIONS).split())
"""Neither writes nor leaves anything behind."""

WITHOUT_STATE = HARMLESS | frozenset(_OF_TRANSACTION.split())
"""Leaves nothing on the connection that a transaction does not end."""
