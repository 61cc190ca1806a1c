"""The bare ceiling, with and without records as applications usually have them: an access line by structlog to a file,
prometheus-client over several processes, and OpenTelemetry's middleware and driver at one request in a hundred."""

import os
from time import perf_counter
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from prometheus_client import Counter, Gauge, Histogram

from benchmarks.ceiling import app as bare

SHARE_TRACED = 0.01


class Discarded(SpanExporter):
    """Sends spans nowhere: sending them costs as well, and is left out."""

    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def recorded(app: Any) -> Any:
    """The app with its records, around it in the usual order."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(open(os.environ["ACCESS_LOG"], "a", encoding="utf-8")),  # noqa: SIM115
        cache_logger_on_first_use=True,
    )
    log = structlog.get_logger()
    seconds = Histogram("http_request_duration_seconds", "Duration.", ["operation", "class"])
    sizes = Counter("http_response_body_bytes", "Bytes.", ["operation", "class"])
    running = Gauge("http_requests_in_flight", "In flight.", multiprocess_mode="livesum")
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(SHARE_TRACED)))
    provider.add_span_processor(BatchSpanProcessor(Discarded()))
    trace.set_tracer_provider(provider)
    AsyncPGInstrumentor().instrument()

    async def measured(scope: Any, receive: Any, send: Any) -> None:
        began, status, size = perf_counter(), 0, 0
        running.inc()

        async def noting(message: Any) -> None:
            nonlocal status, size
            status = message.get("status", status)
            size += len(message.get("body", b""))
            await send(message)

        try:
            await app(scope, receive, noting)
        finally:
            took = perf_counter() - began
            running.dec()
            labels = ("books.get", f"{status // 100}xx")
            seconds.labels(*labels).observe(took)
            sizes.labels(*labels).inc(size)
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                seconds=took,
                client=scope["client"][0],
                bytes=size,
            )

    return OpenTelemetryMiddleware(measured, exclude_spans=["send", "receive"])


app = recorded(bare) if os.environ.get("ACCESS_LOG") else bare
