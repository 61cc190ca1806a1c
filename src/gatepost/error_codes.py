"""Every code that Gatepost itself raises, described: for the pages of problems and for `docs/reference/errors.md`.

A foundation, and data: it is read at start, and by nothing while requests are served. `errors.py` has the classes that
the codes are raised with. The texts are Markdown with code and links, and nothing else.
"""

import msgspec

from gatepost.errors import (
    BadRequest,
    Conflict,
    ContentTooLarge,
    ExpectationFailed,
    Forbidden,
    GatewayTimeout,
    HeadersTooLarge,
    InternalProblem,
    MethodNotAllowed,
    MisdirectedRequest,
    NotFound,
    NotImplementedMethod,
    OutcomeUnknown,
    Overloaded,
    PreconditionFailed,
    PreconditionRequired,
    Problem,
    RangeNotSatisfiable,
    RequestTimeout,
    ServiceUnavailable,
    TooManyRequests,
    Unauthorized,
    Unprocessable,
    UnsupportedMediaType,
    URITooLong,
)


class ErrorCode(msgspec.Struct, frozen=True):
    """One code: the class that it is raised with, what it means, when it is raised, and what to do about it."""

    problem: type[Problem]
    meaning: str
    when: str
    advice: str


CODES: dict[str, ErrorCode] = {
    # Requests
    "malformed_request": ErrorCode(
        BadRequest,
        "The request line, a header or the path cannot be understood.",
        "`Host` is missing, repeated or invalid; a header that may occur once occurs twice; the path has empty "
        "segments, dot segments, or an escape that is broken or encodes a slash or a control character; the "
        "framing is ambiguous; a body is sent with `GET` or `DELETE`, ends early, or arrives in more than 16 "
        "parts plus one per 512 bytes; an entity tag has no quotes.",
        "Fix the client; it builds requests by hand.",
    ),
    "malformed_json": ErrorCode(
        BadRequest,
        "The body is not strict UTF-8 JSON (RFC 8259), or a key appears twice.",
        "The body is empty, has a byte order mark, `NaN`, a trailing comma, or the same key twice.",
        "Fix the JSON at the line and column in `detail`.",
    ),
    "unknown_parameter": ErrorCode(
        BadRequest,
        "The query has a parameter that this path does not know.",
        "A field is misspelt or not visible to you, or a write has a query string.",
        "Use the name in `detail`, if there is one.",
    ),
    "invalid_parameter": ErrorCode(
        BadRequest,
        "A parameter's value or operator is not valid.",
        "An unknown operator or field name, a text for a number, `limit` out of range, a parameter given twice.",
        "Fix the parameter; `detail` names it and what it accepts.",
    ),
    "not_filterable": ErrorCode(
        BadRequest,
        "The field cannot be filtered by: it has no index and is not declared.",
        "`?stock=1` if `stock` has no index and is not in `filter=`.",
        "Use a field that `detail` names; the server's owner can add it to `filter=`.",
    ),
    "not_sortable": ErrorCode(
        BadRequest,
        "The field cannot be sorted by: it has no index and is not declared.",
        "`?sort=stock` if `stock` has no index and is not in `sort=`.",
        "Use a field that `detail` names; the server's owner can add it to `sort=`.",
    ),
    "invalid_cursor": ErrorCode(
        BadRequest,
        "The cursor is malformed, forged, or belongs to another query.",
        "`after` or `before` was truncated, made up, or taken from another path or another `sort`, or the database was"
        " restored since.",
        "Start at the first page.",
    ),
    "body_timeout": ErrorCode(
        RequestTimeout,
        "The body did not arrive in time.",
        "The client pauses for longer than `GATEPOST_BODY_SECONDS`, or is still sending after "
        "`GATEPOST_REQUEST_SECONDS`.",
        "Send again, on a better connection.",
    ),
    "content_too_large": ErrorCode(
        ContentTooLarge,
        "The body has more bytes than the route allows.",
        "More than `GATEPOST_BODY_BYTES_MAX`; more than 8,192 bytes at sign-in.",
        "Send less.",
    ),
    "uri_too_long": ErrorCode(
        URITooLong,
        "Path and query are longer than allowed.",
        "More than `GATEPOST_URI_BYTES_MAX`.",
        "Ask for less: fewer filters, a shorter list of values.",
    ),
    "headers_too_large": ErrorCode(
        HeadersTooLarge,
        "There are more headers, or longer ones, than are allowed.",
        "More than `GATEPOST_HEADER_COUNT_MAX`, or their values together more than `GATEPOST_HEADER_BYTES_MAX`.",
        "Send fewer headers; large cookies are the usual cause, and Gatepost does not need them.",
    ),
    "expectation_failed": ErrorCode(
        ExpectationFailed,
        "`Expect` wants something other than 100-continue.",
        "Any other expectation.",
        "Omit the header.",
    ),
    "unknown_host": ErrorCode(
        MisdirectedRequest,
        "This server does not serve the host in `Host`.",
        "`GATEPOST_ALLOWED_HOSTS` is set and does not name it.",
        "Use the right name; the server's owner can add it to the list.",
    ),
    "unsupported_media_type": ErrorCode(
        UnsupportedMediaType,
        "The body's content type is not one that the route accepts.",
        "No `Content-Type`, a type other than JSON, a charset other than UTF-8, a compressed body.",
        "Send `Content-Type: application/json`.",
    ),
    "invalid_body": ErrorCode(
        Unprocessable,
        "The body violates the declaration; `errors` names every violation.",
        "See the codes of `errors` below.",
        "Correct every field that `errors` names.",
    ),
    "refused_by_trigger": ErrorCode(
        Unprocessable,
        "A trigger of the database refuses this.",
        "A trigger raises (`RAISE EXCEPTION`); `errors` has the field of the column that it names (`USING COLUMN "
        "=`). `detail` is its message only with `GATEPOST_TRIGGER_MESSAGES`; the log line `trigger_refused` "
        "always has it.",
        "Send other values; the trigger's author says which.",
    ),
    "reference_not_found": ErrorCode(
        Unprocessable,
        "A reference names no row that you may read.",
        "The row that a foreign key in the body refers to does not exist, or is hidden from you: both look the same.",
        "Correct the key at `errors[].pointer`.",
    ),
    # Authentication
    "not_signed_in": ErrorCode(
        Unauthorized,
        "Signing in would help: there are no credentials.",
        "The action needs a signed-in client, and there is no `Authorization`, nor what else the app accepts.",
        "Sign in and send `Authorization: Bearer ...`.",
    ),
    "invalid_token": ErrorCode(
        Unauthorized,
        "The token, or other credentials, are expired, revoked, forged or malformed.",
        "They have expired; their user was deleted or is inactive; the token was signed with another key; the database"
        " was restored since; the app accepts no such `Authorization`.",
        "Sign in again.",
    ),
    "invalid_credentials": ErrorCode(
        Unauthorized,
        "The e-mail address or the password is wrong.",
        "At sign-in. An unknown e-mail address and an inactive user get the same response, after the same time.",
        "Ask for the password again.",
    ),
    # Application
    "forbidden": ErrorCode(
        Forbidden,
        "Your roles do not allow this.",
        "The role rule fails, the row may be read but not changed, or a new row would belong to another user. "
        "Where the rules of fields refuse, `errors` names the fields that the row shows.",
        "Ask for the role; signing in again does not help.",
    ),
    "cross_origin": ErrorCode(
        Forbidden,
        "A page of that origin may not change anything here.",
        "A browser says that the request comes from a page of another origin: a form, behind [the gate "
        "alone](../how-to/put-the-gate-in-front-of-an-app.md); any change, with [cookies or other ambient "
        "credentials](../how-to/authenticate-in-other-ways.md#cookies).",
        "If the page should be allowed, add its origin to the path's `cors=`.",
    ),
    "not_found": ErrorCode(
        NotFound,
        "There is nothing here that you may see.",
        "The path or the row does not exist, or is hidden from you: both look the same.",
        "Check the address.",
    ),
    "method_not_allowed": ErrorCode(
        MethodNotAllowed,
        "The path does not support this method; see `Allow`.",
        "`PUT`, or a method that the resource does not open.",
        "Use a method from the `Allow` header.",
    ),
    "method_not_implemented": ErrorCode(
        NotImplementedMethod,
        "No path of this server supports the method.",
        "An invented method.",
        "Use another method.",
    ),
    "already_exists": ErrorCode(
        Conflict,
        "Another row has these values already.",
        "A unique constraint or index; `errors` names its fields, and is empty for one on an expression "
        "(`lower(email)`) or one that the models do not declare: the log line `constraint_violated` has its name.",
        "Use the existing row, or other values.",
    ),
    "still_referenced": ErrorCode(
        Conflict,
        "Other rows refer to this one.",
        "You delete a row that a foreign key refers to.",
        "First delete or change the rows that refer to it.",
    ),
    "violates_constraint": ErrorCode(
        Conflict,
        "The rows would violate a rule of the database.",
        "A constraint that was created by hand in the database and is not declared in the models, or the check "
        "option of a view; the log line `constraint_violated` names the constraint and the table.",
        "The server's owner declares it in the model; then it gets its own code.",
    ),
    "suppressed_by_trigger": ErrorCode(
        Conflict,
        "A trigger of the database suppressed this write.",
        "A trigger returned NULL for the row, which PostgreSQL then does not write; see [triggers](#triggers).",
        "Read the row; the server's owner decides whether the trigger should raise instead.",
    ),
    "version_conflict": ErrorCode(
        Conflict,
        "Another request changed the row at the same time.",
        "A service's session finds that its row was changed or deleted while it writes.",
        "Read the row again.",
    ),
    "version_mismatch": ErrorCode(
        PreconditionFailed,
        "The row has changed since the version in `If-Match`.",
        "Another client has changed it since you read it, or the database was restored.",
        "Read the row again, and decide again.",
    ),
    "precondition_failed": ErrorCode(
        PreconditionFailed,
        "The file is not the one that the request asks for.",
        "`If-Match` or `If-Unmodified-Since` with an endpoint that sends a file, which has changed since.",
        "Download it anew, without the condition.",
    ),
    "range_not_satisfiable": ErrorCode(
        RangeNotSatisfiable,
        "The file has none of the bytes that `Range` asks for.",
        "A download is continued behind the end of the file: it is complete already, or has become shorter.",
        "Compare what you have with the length in `Content-Range`, or download it anew without `Range`.",
    ),
    "version_required": ErrorCode(
        PreconditionRequired,
        "This resource requires `If-Match`.",
        "`PATCH` or `DELETE` without it, with `require_if_match=True`.",
        "Send the `ETag` of the row that you have read.",
    ),
    "too_many_requests": ErrorCode(
        TooManyRequests,
        "A rate limit is exhausted; see `Retry-After`.",
        "The bucket of your address or of your user is empty.",
        "Wait for as many seconds as `Retry-After` says.",
    ),
    # Server
    "internal_error": ErrorCode(
        InternalProblem,
        "Something went wrong here; quote the request id.",
        "A bug in the application. The response says nothing more; the log does.",
        "Report the `request_id`.",
    ),
    "console_unavailable": ErrorCode(
        ServiceUnavailable,
        "The console has nobody to ask.",
        "The process serves without a monitor, or the monitor has no socket: `GATEPOST_METRICS` is off, or "
        "`GATEPOST_ADMIN_SOCKET` is `none`. Or as many as may already wait for the monitor.",
        "Let the server have both; `gatepost serve` and `gatepost dev` do by default. Where many wait, try again.",
    ),
    "database_unavailable": ErrorCode(
        ServiceUnavailable,
        "The database is unavailable; try again shortly.",
        "PostgreSQL is down, restarting, or refusing connections; `detail` says if it refuses them because a "
        "connection limit is reached. Nothing was written.",
        "Try again after `Retry-After` seconds.",
    ),
    "database_busy": ErrorCode(
        ServiceUnavailable,
        "No database connection became free in time.",
        "For `GATEPOST_DATABASE_POOL_WAIT_SECONDS`, all connections were in use, or this resource had as many as "
        "it may hold while others wait.",
        "Try again; the server's owner looks for slow statements or raises `GATEPOST_DATABASE_POOL_SIZE`.",
    ),
    "database_read_only": ErrorCode(
        ServiceUnavailable,
        "The database takes no writes at present; reads are served.",
        "PostgreSQL is a standby, waits for its own standby (synchronous replication), or "
        "`default_transaction_read_only` is on. Nothing was written.",
        "Try again after `Retry-After` seconds; the log says `database_read_only`, and the server's owner finds "
        "the cause.",
    ),
    "database_full": ErrorCode(
        ServiceUnavailable,
        "The database has no room left; nothing was written.",
        "The disk is full, or a query needs more than `temp_file_limit` (53100, 53400).",
        "Try again later; the server's owner frees space.",
    ),
    "database_out_of_memory": ErrorCode(
        ServiceUnavailable,
        "The database has no memory left; nothing was written.",
        "PostgreSQL could not allocate memory, or shared memory for locks is exhausted (53200).",
        "Try again after `Retry-After` seconds.",
    ),
    "schema_changed": ErrorCode(
        ServiceUnavailable,
        "The database does not have the tables that this server needs; nothing was written.",
        "A table that the request uses is not the one of its model: it or a column is missing, or has another type, "
        "since the server started or before. The log line `schema_changed` names each difference.",
        "The server's owner migrates the database, or starts the version that fits it; the server looks again by "
        "itself.",
    ),
    "outcome_unknown": ErrorCode(
        OutcomeUnknown,
        "It may have been written: look before you repeat it.",
        "COMMIT, or a write that commits by itself, had been sent and PostgreSQL had not replied when the "
        "connection was lost, or when 5 seconds had passed after the request's time limit. Without `Retry-After`.",
        "Read what you wanted to write, and repeat only what is missing.",
    ),
    "transaction_conflict": ErrorCode(
        ServiceUnavailable,
        "Concurrent changes collided; nothing was written.",
        "A deadlock or a serialization failure in the last of the service's `attempts`.",
        "Try again.",
    ),
    "overloaded": ErrorCode(
        Overloaded,
        "The server has more requests than it can handle; try again shortly.",
        "More requests arrived than this process can serve, and yours waited for longer than "
        "`GATEPOST_QUEUE_SECONDS`. Signed-in clients come first.",
        "Try again after `Retry-After` seconds.",
    ),
    "sign_in_busy": ErrorCode(
        ServiceUnavailable,
        "Too many sign-ins at once; try again shortly.",
        "The passwords waiting to be verified are more than half a second of work.",
        "Try again.",
    ),
    "shutting_down": ErrorCode(
        ServiceUnavailable,
        "This instance is about to stop; try again.",
        "The request arrived, or still needed the database, after the process had closed its connections.",
        "Try again; another instance will serve it.",
    ),
    "database_timeout": ErrorCode(
        GatewayTimeout,
        "A statement took longer than its limit and was cancelled.",
        "Longer than `GATEPOST_DATABASE_STATEMENT_SECONDS`, or a lock did not become free within "
        "`GATEPOST_DATABASE_LOCK_SECONDS`.",
        "Ask for less; the server's owner looks for a missing index or a long transaction.",
    ),
    "request_timeout": ErrorCode(
        GatewayTimeout,
        "The request took longer than its limit and was cancelled.",
        "Longer than `GATEPOST_REQUEST_SECONDS`.",
        "Ask for less.",
    ),
}
"""Sources: RFC 9110 for the statuses, RFC 9457 for the form, RFC 6585 for 428 and 429."""
