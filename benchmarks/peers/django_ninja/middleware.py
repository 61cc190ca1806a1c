"""What every request passes through beside Django's own middleware."""

import logging
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse
from django_ratelimit.core import is_ratelimited

logger = logging.getLogger("bookshop.access")
Handler = Callable[[HttpRequest], HttpResponse]

# Those of helmet that Django's own middleware does not set.
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Origin-Agent-Cluster": "?1",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-DNS-Prefetch-Control": "off",
    "X-Download-Options": "noopen",
    "X-Permitted-Cross-Domain-Policies": "none",
    "X-XSS-Protection": "0",
}


def headers_and_log(get_response: Handler) -> Handler:
    def middleware(request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = get_response(request)
        for name, value in SECURITY_HEADERS.items():
            response[name] = value
        milliseconds = (time.perf_counter() - started) * 1000
        logger.info("%s %s %s %.1f ms", request.method, request.path, response.status_code, milliseconds)
        return response

    return middleware


def rate_limit(get_response: Handler) -> Handler:
    def middleware(request: HttpRequest) -> HttpResponse:
        if is_ratelimited(request, group="api", key="ip", rate="1000000000/15m", increment=True):
            return JsonResponse({"detail": "Too many requests"}, status=429)
        return get_response(request)

    return middleware
