"""Gatepost: turns SQLAlchemy models into a production API.

The names of the public interface are loaded at their first use: `gatepost --help`, or a master that only starts
workers, does not load SQLAlchemy for them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatepost import events
    from gatepost.accounts.credentials import Credentials
    from gatepost.accounts.models import UserColumns
    from gatepost.actor import Actor, anonymous, system
    from gatepost.app import App
    from gatepost.auth.authenticator import Authenticator, UserAuthenticator, VerifiedUser
    from gatepost.auth.bearer_tokens import BearerTokens
    from gatepost.call import Call, Response
    from gatepost.declaring.controller import Controller, delete, get, patch, post, put
    from gatepost.declaring.cors import CORS
    from gatepost.declaring.dialect import CamelCase, Dialect
    from gatepost.declaring.dto import DTO, Created, computed, first
    from gatepost.declaring.files import File
    from gatepost.declaring.group import Group
    from gatepost.declaring.mount import Mount
    from gatepost.declaring.objectives import Objective
    from gatepost.declaring.parameters import Cookie, Header, Locked, Query, RawBody
    from gatepost.declaring.policies import Policy, anyone, authenticated, nobody, owner, policy, role
    from gatepost.declaring.provided import per_call
    from gatepost.declaring.rate_limits import RateLimit, hours, minutes, seconds
    from gatepost.declaring.resource import Field, Resource, hidden, read_only, write_once
    from gatepost.declaring.row_expressions import actor_column, actor_id, count, readable
    from gatepost.declaring.streams import ServerSentEvent, Stream
    from gatepost.dtos.parsed_json import parse_json
    from gatepost.environment import load_settings
    from gatepost.errors import (
        BadRequest,
        ConfigurationError,
        Conflict,
        FieldError,
        Forbidden,
        NotFound,
        PreconditionFailed,
        Problem,
        Unauthorized,
        Unprocessable,
    )
    from gatepost.events import Events
    from gatepost.gateway.buckets.valkey import ValkeyBuckets
    from gatepost.models.base import Model, Row
    from gatepost.models.json_of import JSONOf
    from gatepost.models.list_query import ListQuery
    from gatepost.models.naive_utc import NaiveUTC
    from gatepost.operations import Operation
    from gatepost.own_metrics import Counter, Gauge, Histogram, Metrics
    from gatepost.services.accounts import Accounts
    from gatepost.services.changes import Changes
    from gatepost.services.partial import Partial
    from gatepost.services.service import Service
    from gatepost.settings import Settings

__all__ = [
    "CORS",
    "DTO",
    "Accounts",
    "Actor",
    "App",
    "Authenticator",
    "BadRequest",
    "BearerTokens",
    "Call",
    "CamelCase",
    "Changes",
    "ConfigurationError",
    "Conflict",
    "Controller",
    "Cookie",
    "Counter",
    "Created",
    "Credentials",
    "Dialect",
    "Events",
    "Field",
    "FieldError",
    "File",
    "Forbidden",
    "Gauge",
    "Group",
    "Header",
    "Histogram",
    "JSONOf",
    "ListQuery",
    "Locked",
    "Metrics",
    "Model",
    "Mount",
    "NaiveUTC",
    "NotFound",
    "Objective",
    "Operation",
    "Partial",
    "Policy",
    "PreconditionFailed",
    "Problem",
    "Query",
    "RateLimit",
    "RawBody",
    "Resource",
    "Response",
    "Row",
    "ServerSentEvent",
    "Service",
    "Settings",
    "Stream",
    "Unauthorized",
    "Unprocessable",
    "UserAuthenticator",
    "UserColumns",
    "ValkeyBuckets",
    "VerifiedUser",
    "actor_column",
    "actor_id",
    "anonymous",
    "anyone",
    "authenticated",
    "computed",
    "count",
    "delete",
    "events",
    "first",
    "get",
    "hidden",
    "hours",
    "load_settings",
    "minutes",
    "nobody",
    "owner",
    "parse_json",
    "patch",
    "per_call",
    "policy",
    "post",
    "put",
    "read_only",
    "readable",
    "role",
    "seconds",
    "system",
    "write_once",
]

_NAMES = {
    "accounts.credentials": "Credentials",
    "accounts.models": "UserColumns",
    "app": "App",
    "auth.authenticator": "Authenticator UserAuthenticator VerifiedUser",
    "auth.bearer_tokens": "BearerTokens",
    "actor": "Actor anonymous system",
    "declaring.policies": "Policy anyone authenticated nobody owner policy role",
    "declaring.controller": "Controller delete get patch post put",
    "declaring.cors": "CORS",
    "declaring.dialect": "CamelCase Dialect",
    "declaring.dto": "DTO Created computed first",
    "dtos.parsed_json": "parse_json",
    "errors": "BadRequest ConfigurationError Conflict FieldError Forbidden NotFound PreconditionFailed Problem "
    "Unauthorized Unprocessable",
    "events": "Events",
    "gateway.buckets.valkey": "ValkeyBuckets",
    "declaring.rate_limits": "RateLimit hours minutes seconds",
    "models.base": "Model Row",
    "models.json_of": "JSONOf",
    "models.list_query": "ListQuery",
    "models.naive_utc": "NaiveUTC",
    "operations": "Operation",
    "own_metrics": "Counter Gauge Histogram Metrics",
    "call": "Call Response",
    "declaring.files": "File",
    "declaring.mount": "Mount",
    "declaring.objectives": "Objective",
    "declaring.parameters": "Cookie Header Locked Query RawBody",
    "declaring.provided": "per_call",
    "declaring.row_expressions": "actor_column actor_id count readable",
    "declaring.streams": "ServerSentEvent Stream",
    "declaring.group": "Group",
    "declaring.resource": "Field Resource hidden read_only write_once",
    "services.accounts": "Accounts",
    "services.changes": "Changes",
    "services.partial": "Partial",
    "services.service": "Service",
    "environment": "load_settings",
    "settings": "Settings",
}
"""What type checkers read above, for the interpreter; a test holds the two together."""

_HOMES = {name: f"{__name__}.{module}" for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    """A name of the public interface, at its first use (PEP 562); from then on it is an ordinary attribute."""
    if name == "events":
        return import_module("gatepost.events")
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
