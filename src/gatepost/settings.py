"""Settings: one frozen dataclass per concern, read from the environment once (`environment.py`) and passed down.

Every field carries its variable, unit, description and check; `gatepost config show` and the reference page are made
from them. A secret has no working default, accepts a `*_FILE` twin and is masked wherever it is shown.
"""

from dataclasses import dataclass

from gatepost.declaring.rate_limits import RateLimit, minutes
from gatepost.setting_fields import (
    DAY_SECONDS,
    between,
    check_backup_store,
    check_base_url,
    check_demo_user,
    check_dsn,
    check_instance,
    check_release,
    one_of,
    setting,
)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where and how the process serves."""

    environment: str = setting(
        "GATEPOST_ENV",
        "development",
        "development or production; production refuses to start with unsafe settings",
        check=one_of("development", "production"),
    )
    openapi: str = setting(
        "GATEPOST_OPENAPI",
        "everyone",
        "who gets `/openapi.json`, and in it what the API would tell them anyway: everyone, signed_in, or nobody",
        check=one_of("everyone", "signed_in", "nobody"),
    )
    start_page: str = setting(
        "GATEPOST_START_PAGE",
        "development",
        "where `/` is a page that lists what is served: in development, always, or never",
        check=one_of("development", "always", "never"),
    )
    console: str = setting(
        "GATEPOST_CONSOLE",
        "development",
        "where `/console` is served beside the API, to users with the role console: in development, public for "
        "production as well, or never",
        check=one_of("development", "public", "never"),
    )
    demo_user: str | None = setting(
        "GATEPOST_DEMO_USER",
        None,
        "e-mail and password, with a colon between them, of a user whom the page at `/` shows; refused in production",
        check=check_demo_user,
    )
    host: str = setting("GATEPOST_HOST", "127.0.0.1", "address to listen on")
    port: int = setting("GATEPOST_PORT", 8000, "port to listen on; 0 for any free one", check=between(0, 65_535))
    workers: int = setting("GATEPOST_WORKERS", 1, "processes that serve", check=between(1, 1024))
    header_seconds: float = setting(
        "GATEPOST_HEADER_SECONDS",
        8.0,
        "how long the headers of a request may take, and how long a connection may idle",
        check=between(1, 60),
    )
    drain_delay_seconds: float | None = setting(
        "GATEPOST_DRAIN_DELAY_SECONDS",
        None,
        "how long new connections are still accepted at shutdown while `/readyz` is 503; 3 in production, else 0",
        check=between(0, DAY_SECONDS),
    )
    drain_seconds: float = setting(
        "GATEPOST_DRAIN_SECONDS",
        20.0,
        "how long requests in flight may still take at shutdown",
        check=between(0, DAY_SECONDS),
    )


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """How PostgreSQL is reached."""

    url: str | None = setting(
        "DATABASE_URL",
        None,
        "postgresql://user:password@host:port/database; dev starts an embedded PostgreSQL where it is absent",
        check=check_dsn,
        secret=True,
    )
    pool_size: int = setting(
        "GATEPOST_DATABASE_POOL_SIZE", 10, "connections per process at most", check=between(1, 10_000)
    )
    pool_wait_seconds: float = setting(
        "GATEPOST_DATABASE_POOL_WAIT_SECONDS",
        2.0,
        "how long a request waits for a free connection, then 503",
        check=between(0, DAY_SECONDS),
    )
    connect_seconds: float = setting(
        "GATEPOST_DATABASE_CONNECT_SECONDS",
        3.0,
        "how long opening a connection may take",
        check=between(0.1, DAY_SECONDS),
    )
    connection_seconds_max: float = setting(
        "GATEPOST_DATABASE_CONNECTION_SECONDS_MAX",
        600.0,
        "how old a connection may become before another one takes its place; it follows an address that has moved",
        check=between(1, 7 * DAY_SECONDS),
    )
    statement_seconds: float = setting(
        "GATEPOST_DATABASE_STATEMENT_SECONDS",
        5.0,
        "how long a statement may run, then 504",
        check=between(0.01, DAY_SECONDS),
    )
    slow_seconds: float = setting(
        "GATEPOST_DATABASE_SLOW_SECONDS",
        0.5,
        "statements that take longer are logged, and explained by `gatepost db slow`",
        check=between(0.001, DAY_SECONDS),
    )
    lock_seconds: float = setting(
        "GATEPOST_DATABASE_LOCK_SECONDS",
        2.0,
        "how long a statement waits for a lock that another transaction holds, then 504",
        check=between(0.01, DAY_SECONDS),
    )
    trigger_messages: bool = setting(
        "GATEPOST_TRIGGER_MESSAGES",
        False,
        "whether a response shows the message with which a trigger refuses a write (`RAISE EXCEPTION`)",
    )
    ready_needs_writes: bool = setting(
        "GATEPOST_READY_NEEDS_WRITES", False, "whether `/readyz` is 503 while the database is read-only"
    )


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """How tokens are signed and how long they live."""

    signing_key: str | None = setting(
        "GATEPOST_SIGNING_KEY",
        None,
        "Ed25519 private key, PEM; dev makes and keeps one, production refuses to start without",
        secret=True,
    )
    token_minutes: float = setting(
        "GATEPOST_TOKEN_MINUTES", 15.0, "lifetime of an access token", check=between(0.1, 525_600)
    )
    issuer: str = setting("GATEPOST_TOKEN_ISSUER", "gatepost", "`iss` of tokens")
    audience: str = setting("GATEPOST_TOKEN_AUDIENCE", "gatepost", "`aud` of tokens")


@dataclass(frozen=True, slots=True)
class GateSettings:
    """Limits of the gate."""

    api_count: int = setting(
        "GATEPOST_LIMIT_API", 100, "requests per client and 15 minutes", check=between(1, 1_000_000_000)
    )
    auth_count: int = setting(
        "GATEPOST_LIMIT_AUTH", 5, "sign-in requests per client and 15 minutes", check=between(1, 1_000_000_000)
    )
    auth_counts: str = setting(
        "GATEPOST_LIMIT_AUTH_COUNTS",
        "failures",
        "failures: a successful sign-in gets its tokens back; all: every attempt counts",
        check=one_of("failures", "all"),
    )
    limit_factor: int | None = setting(
        "GATEPOST_LIMIT_FACTOR", None, "multiplies all limits; 100 in development, else 1", check=between(1, 1_000_000)
    )
    body_bytes_max: int = setting("GATEPOST_BODY_BYTES_MAX", 1_048_576, "largest request body", check=between(1, 2**40))
    page_bytes_max: int = setting(
        "GATEPOST_PAGE_BYTES_MAX",
        4_194_304,
        "JSON of a page's rows; a page ends before the row that would exceed it, but has one row at least",
        check=between(1, 2**30),
    )
    body_seconds: float = setting(
        "GATEPOST_BODY_SECONDS",
        10.0,
        "how long a client may take to send the next part of a body",
        check=between(0.1, DAY_SECONDS),
    )
    request_seconds: float = setting(
        "GATEPOST_REQUEST_SECONDS",
        15.0,
        "how long a whole request may take, then 504",
        check=between(0.1, DAY_SECONDS),
    )
    queue_seconds: float = setting(
        "GATEPOST_QUEUE_SECONDS",
        1.0,
        "how long a request waits under overload before it may be refused with 503",
        check=between(0.01, 60),
    )
    uri_bytes_max: int = setting("GATEPOST_URI_BYTES_MAX", 8192, "longest path and query", check=between(256, 65_000))
    header_count_max: int = setting(
        "GATEPOST_HEADER_COUNT_MAX", 64, "headers of a request at most", check=between(8, 98)
    )
    header_bytes_max: int = setting(
        "GATEPOST_HEADER_BYTES_MAX", 16_384, "values of all headers together", check=between(1024, 262_144)
    )
    json_depth_max: int = setting(
        "GATEPOST_JSON_DEPTH_MAX", 32, "levels of arrays and objects inside a JSON field", check=between(1, 256)
    )
    json_items_max: int = setting(
        "GATEPOST_JSON_ITEMS_MAX", 10_000, "elements of one array in a request body", check=between(1, 100_000_000)
    )
    allowed_hosts: tuple[str, ...] = setting(
        "GATEPOST_ALLOWED_HOSTS",
        (),
        "hosts to serve, comma separated: shop.example, *.shop.example; every host by default",
    )
    trusted_proxies: tuple[str, ...] = setting(
        "GATEPOST_TRUSTED_PROXIES",
        (),
        "proxies that may state the client's address, comma separated: addresses, networks, unix, a number of hops, "
        "and forwarded if they write that header in place of X-Forwarded-For; none by default",
    )
    preflight_count: int = setting(
        "GATEPOST_LIMIT_PREFLIGHT",
        1000,
        "preflights per client and minute; they have a limit of their own",
        check=between(1, 1_000_000_000),
    )
    cors_origins: tuple[str, ...] = setting(
        "GATEPOST_CORS_ORIGINS",
        (),
        "origins that browsers may call from, comma separated; `https://*.shop.example` is any one name before the dot",
    )
    cors_public: bool = setting(
        "GATEPOST_CORS_PUBLIC", False, "pages of every origin may call, without credentials: for public APIs"
    )
    cors_credentials: bool = setting(
        "GATEPOST_CORS_CREDENTIALS", False, "browsers may send cookies; Gatepost's own tokens do not need them"
    )
    hsts_seconds: int = setting(
        "GATEPOST_HSTS_SECONDS",
        31_536_000,
        "how long browsers insist on TLS after a response over TLS (HSTS); 0 revokes it",
        check=between(0, 315_360_000),
    )
    hsts_subdomains: bool = setting("GATEPOST_HSTS_SUBDOMAINS", True, "HSTS includes all subdomains")
    hsts_preload: bool = setting("GATEPOST_HSTS_PRELOAD", False, "asks for the preload lists of browsers")
    compress: bool = setting(
        "GATEPOST_COMPRESS", True, "compress responses of 2 KiB or more if the client accepts it and it is safe"
    )

    problem_base_url: str | None = setting(
        "GATEPOST_PROBLEM_BASE_URL",
        None,
        "where problems are described: the `type` of a problem is this URL with its code; `/problems` of the server "
        "itself by default",
        check=check_base_url,
    )

    @property
    def api_limit(self) -> RateLimit:
        """The default limit of API routes per client."""
        return RateLimit(self.api_count, per=minutes(15)).times(self.limit_factor or 1)

    @property
    def auth_limit(self) -> RateLimit:
        """The default limit of sign-in routes per client."""
        return RateLimit(self.auth_count, per=minutes(15)).times(self.limit_factor or 1)

    @property
    def preflight_limit(self) -> RateLimit:
        """The limit of preflights per client, which take nothing from its other buckets."""
        return RateLimit(self.preflight_count, per=minutes(1)).times(self.limit_factor or 1)


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """How many streams there are, and how long they last."""

    streams_max: int = setting(
        "GATEPOST_STREAMS_MAX",
        1000,
        "streams per process at once, then 503; they do not count as requests in flight",
        check=between(1, 1_000_000),
    )
    heartbeat_seconds: float = setting(
        "GATEPOST_STREAM_HEARTBEAT_SECONDS",
        15.0,
        "how often a stream asks again who its client is, and sends a heartbeat where it sends nothing else",
        check=between(0.1, 3600),
    )
    stream_seconds: float | None = setting(
        "GATEPOST_STREAM_SECONDS",
        None,
        "how long a stream may last; any time by default",
        check=between(1, 7 * DAY_SECONDS),
    )


@dataclass(frozen=True, slots=True)
class ValkeySettings:
    """What the instances of an application share outside PostgreSQL: rate limits."""

    url: str | None = setting(
        "GATEPOST_VALKEY_URL",
        None,
        "valkey://user:password@host:6379/0, valkeys:// for TLS, or unix:///socket; without it each machine keeps its "
        "own rate limits",
        secret=True,
    )
    prefix: str = setting("GATEPOST_VALKEY_PREFIX", "gatepost", "prefix of all keys")
    timeout_seconds: float = setting(
        "GATEPOST_VALKEY_TIMEOUT_SECONDS",
        0.02,
        "how long a response of Valkey may take; after a timeout each machine decides alone until Valkey is back",
        check=between(0.001, 1),
    )


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What is logged, how and where."""

    form: str = setting(
        "GATEPOST_LOG",
        "auto",
        "what stdout gets: console (for people), json, none, or auto: console in development, else json",
        check=one_of("auto", "console", "json", "none"),
    )
    level: str = setting(
        "GATEPOST_LOG_LEVEL", "info", "lowest level written", check=one_of("debug", "info", "warning", "error")
    )
    access: bool = setting("GATEPOST_LOG_ACCESS", True, "one line per request")
    access_sample: int = setting(
        "GATEPOST_LOG_ACCESS_SAMPLE",
        1,
        "one of so many access lines of a status below 400 is written, and all others",
        check=between(1, 1_000_000),
    )
    client: str = setting(
        "GATEPOST_LOG_CLIENT",
        "full",
        "what is written of a client's address: full, network (/24 of IPv4, /48 of IPv6), or none",
        check=one_of("full", "network", "none"),
    )
    folder: str | None = setting(
        "GATEPOST_LOG_FOLDER",
        None,
        "where combined.log (14 days), error.log (30 days) and security.log (180 days) are written, always in JSON; "
        "`gatepost dev` writes to .gatepost/logs, `gatepost serve` to no files by default",
    )
    bytes_max: int = setting(
        "GATEPOST_LOG_BYTES",
        1024 * 1024 * 1024,
        "what all log files may have together; the oldest are deleted, those of combined.log first",
        check=between(1_000_000, 1_000_000_000_000),
    )


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """What operators and Prometheus get, and where."""

    metrics: bool = setting("GATEPOST_METRICS", True, "count and measure requests, statements and processes")
    socket: str | None = setting(
        "GATEPOST_ADMIN_SOCKET",
        None,
        "path of the Unix socket of the admin listener, or none; by default admin-PORT.sock in RUNTIME_DIRECTORY, "
        "XDG_RUNTIME_DIR, or a folder of the user's in the folder for temporary files",
    )
    bind: str | None = setting(
        "GATEPOST_ADMIN_BIND",
        None,
        "host:port at which the admin listener is reached as well; whatever it says of the server needs the token",
    )
    token: str | None = setting(
        "GATEPOST_ADMIN_TOKEN",
        None,
        "token for the admin port; on a loopback address one is made and printed if none is set",
        secret=True,
    )


@dataclass(frozen=True, slots=True)
class RecordsSettings:
    """Which instance of which release this is, and where it keeps what operators ask for."""

    instance: str | None = setting(
        "GATEPOST_INSTANCE",
        None,
        "name of this instance among others of the same application; by default the machine's name and the port",
        check=check_instance,
    )
    release: str | None = setting(
        "GATEPOST_RELEASE",
        None,
        "which release of the application this is; by default the commit where the folder is a clone of Git",
        check=check_release,
    )
    folder: str | None = setting(
        "GATEPOST_RECORDS_FOLDER",
        None,
        "where an instance keeps its history, errors and changes: `gatepost dev` in .gatepost/records, `gatepost "
        "serve` in STATE_DIRECTORY of systemd, else in memory, and the database has what was copied",
    )


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """Who hears of alerts, and how."""

    mail_to: tuple[str, ...] = setting(
        "GATEPOST_ALERT_MAIL_TO", (), "e-mail addresses that get alerts, comma separated; needs GATEPOST_SMTP_URL"
    )
    mail_from: str | None = setting(
        "GATEPOST_ALERT_MAIL_FROM", None, "address that sends them; by default the first that gets them"
    )
    smtp_url: str | None = setting(
        "GATEPOST_SMTP_URL",
        None,
        "smtp://user:password@host:587 (STARTTLS is required but on a loopback host; `?tls=none` does without) or "
        "smtps://user:password@host:465",
        secret=True,
    )
    webhook_url: str | None = setting(
        "GATEPOST_ALERT_WEBHOOK_URL", None, "URL to which alerts are posted as JSON", secret=True
    )
    webhook_secret: str | None = setting(
        "GATEPOST_ALERT_WEBHOOK_SECRET",
        None,
        "signs what is posted, as Standard Webhooks does: whsec_ and 24 to 64 bytes in base64",
        secret=True,
    )
    time_scale: float = setting(
        "GATEPOST_ALERT_TIME_SCALE",
        1.0,
        "multiplies all windows and waiting times of alerts, to try them out: with 0.01 an hour is 36 s",
        check=between(0.001, 1),
    )


@dataclass(frozen=True, slots=True)
class BackupSettings:
    """Where backups and the WAL archive of the database are kept, and for how long."""

    store: str | None = setting(
        "GATEPOST_BACKUP_STORE",
        None,
        "where `gatepost backup` keeps backups and the WAL archive of one database cluster: a folder, or s3://bucket/prefix",
        check=check_backup_store,
    )
    database_url: str | None = setting(
        "GATEPOST_BACKUP_DATABASE_URL",
        None,
        "as which role backups are made, which needs REPLICATION; DATABASE_URL by default",
        check=check_dsn,
        secret=True,
    )
    keep_days: int | None = setting(
        "GATEPOST_BACKUP_KEEP_DAYS",
        None,
        "to how many days back a restore is possible: `gatepost backup create` removes what no such restore needs; "
        "everything is kept by default",
        check=between(1, 36_500),
    )
    s3_endpoint: str | None = setting(
        "GATEPOST_BACKUP_S3_ENDPOINT",
        None,
        "URL of an S3-compatible store; by default the one of Amazon",
        check=check_base_url,
    )
    s3_region: str | None = setting("GATEPOST_BACKUP_S3_REGION", None, "region of the bucket")
    s3_key_id: str | None = setting(
        "GATEPOST_BACKUP_S3_KEY_ID",
        None,
        "access key of the bucket; by default what AWS_ACCESS_KEY_ID, a container or the machine provides",
        secret=True,
    )
    s3_secret_key: str | None = setting("GATEPOST_BACKUP_S3_SECRET_KEY", None, "secret of the access key", secret=True)


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one process."""

    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    auth: AuthSettings = AuthSettings()
    gate: GateSettings = GateSettings()
    streams: StreamSettings = StreamSettings()
    valkey: ValkeySettings = ValkeySettings()
    log: LogSettings = LogSettings()
    admin: AdminSettings = AdminSettings()
    records: RecordsSettings = RecordsSettings()
    alerts: AlertSettings = AlertSettings()
    backups: BackupSettings = BackupSettings()

    @property
    def is_production(self) -> bool:
        """True where unsafe settings refuse to start."""
        return self.server.environment == "production"

    @property
    def has_start_page(self) -> bool:
        """Whether `/` is the page that lists what is served."""
        page = self.server.start_page
        return page == "always" or (page == "development" and not self.is_production)

    @property
    def has_console(self) -> bool:
        """Whether the console is served beside the API."""
        console = self.server.console
        return console == "public" or (console == "development" and not self.is_production)

    @property
    def log_form(self) -> str:
        """`console`, `json` or `none`: what stdout gets."""
        if self.log.form != "auto":
            return self.log.form
        return "json" if self.is_production else "console"
