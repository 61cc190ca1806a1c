"""Gatepost's own controllers, bound: sign-in, which an app may replace, the probes, and what describes the API to
clients and to people. Used by `composition.py`."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from gatepost.accounts.sign_in import SignedIn, SignIn
from gatepost.auth.bearer_tokens import BearerTokens
from gatepost.console.console_sessions import ConsoleSessions
from gatepost.console.console_sign_in import ConsoleSignIn
from gatepost.controllers.bound_endpoints import BoundEndpoint, unnamed
from gatepost.controllers.endpoint_binding import EndpointBinder
from gatepost.controllers.envelopes import Envelopes
from gatepost.controllers.providers import Providers
from gatepost.declaration import Declaration
from gatepost.declaring.controller import Controller
from gatepost.declaring.dialect import Dialect
from gatepost.health import Probes, Readiness
from gatepost.mistakes import Mistakes
from gatepost.openapi.docs_page import TokenSignIn
from gatepost.openapi.openapi_controller import openapi_controller
from gatepost.openapi.pages import PageOptions, Pages
from gatepost.openapi.pages_controllers import docs_controller, start_controller
from gatepost.openapi.served_documents import OpenAPI
from gatepost.settings import Settings


class BuiltInControllers:
    """The endpoints of Gatepost itself in one app. `replaced` are the methods and paths of the app's own endpoints."""

    def __init__(
        self, declaration: Declaration, settings: Settings, openapi: OpenAPI, replaced: Collection[tuple[str, str]]
    ) -> None:
        self._declaration = declaration
        self._settings = settings
        self._openapi = openapi
        self._replaced = replaced

    def bind(
        self, readiness: Readiness, console: ConsoleSessions | None, *, accepts_tokens: bool
    ) -> tuple[list[BoundEndpoint], Providers]:
        """The endpoints, but for those that the app replaces; and what provides their parameters."""
        declaration, mistakes = self._declaration, Mistakes()
        given: Mapping[type[Any], Any] = {
            Settings: self._settings,
            Dialect: declaration.dialect,
            Readiness: readiness,
            OpenAPI: self._openapi,
            Pages: self._pages(),
        }
        if console is not None:
            given = {**given, ConsoleSessions: console}
        providers = Providers(given, mistakes, source=declaration.source)
        binder = EndpointBinder(declaration.catalog, {}, providers, declaration.prefix, mistakes)
        controllers = [SignIn, SignedIn] if accepts_tokens else [SignedIn]
        signing_in = (bound for controller in controllers for bound in binder.bind(controller))
        found = [bound for bound in signing_in if not self._is_replaced(bound)]
        outside = EndpointBinder(declaration.catalog, {}, providers, "", mistakes)
        found += outside.bind(Probes)
        for controller in (*self._describing(), *([] if console is None else [ConsoleSignIn])):
            found += [each for each in outside.bind(controller) if self._is_free(each)]
        mistakes.raise_any()
        return found, providers

    def _describing(self) -> Iterator[type[Controller]]:
        """The controllers that tell clients and people what is served."""
        document = openapi_controller(self._settings.server.openapi)
        if document is not None:
            yield from (document, docs_controller())
        if self._settings.has_start_page:
            yield start_controller()

    def _pages(self) -> Pages:
        settings, dialect = self._settings, self._declaration.dialect
        login = f"{self._declaration.prefix}/auth/login"
        bearer = next((each for each in self._declaration.authenticators if isinstance(each, BearerTokens)), None)
        sign_in = None
        if bearer is not None and ("POST", login) not in self._replaced:
            sign_in = TokenSignIn(
                login,
                Envelopes(dialect).of(None, None).key,
                dialect.names("access_token"),
                type(bearer).__name__,
                dialect.scheme,
            )
        email, _, password = (settings.server.demo_user or "").partition(":")
        options = PageOptions(
            settings.server.openapi != "nobody",
            sign_in,
            (email, password) if password else None,
            shows_policies=not settings.is_production,
        )
        return Pages(self._declaration.info, lambda: self._openapi.api, options)

    def _is_replaced(self, bound: BoundEndpoint) -> bool:
        return (bound.method.route.method, unnamed(bound.pattern)) in self._replaced

    def _is_free(self, bound: BoundEndpoint) -> bool:
        """Whether an app has nothing of its own at the path of an endpoint of Gatepost's."""
        return self.is_free(bound.method.route.method, bound.pattern)

    def is_free(self, method: str, pattern: str) -> bool:
        """Whether an app has nothing of its own at a path."""
        if (method, unnamed(pattern)) in self._replaced:
            return False
        prefixes = [prefix.rstrip("/") for prefix in self._declaration.mounts]
        return not any(pattern.rstrip("/") == each or (each and pattern.startswith(f"{each}/")) for each in prefixes)
