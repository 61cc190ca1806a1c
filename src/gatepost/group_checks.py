"""Whether the groups of an app can stand beside its own resources: each needs a prefix, names and paths that are its
alone. Asked once, when the app is built."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

from gatepost.controllers.bound_endpoints import unnamed
from gatepost.controllers.derived_routes import derived_routes
from gatepost.declared_resources import DeclaredResources
from gatepost.declaring.dialect import Dialect
from gatepost.declaring.group import Group
from gatepost.errors import ConfigurationError
from gatepost.mistakes import Mistakes, Source
from gatepost.models.catalog import RESERVED
from gatepost.sources import location_of

_PARAMETER = "{}"


def check_prefixes(groups: Sequence[Group], dialect: Dialect, mistakes: Mistakes) -> None:
    """Keep as mistakes two groups in one place, groups in reserved ones, and tokens that would be read in two ways.
    `dialect` is that of the app."""
    known: dict[str, Group] = {}
    for group in groups:
        other = known.setdefault(group.name, group)
        if other is not group:
            refusal = f"{other.location} has this prefix ({other.source})."
            if other.prefix != group.prefix:
                refusal = f"its operations would be named as those of {other.location} ({other.source})."
            hint = "Write both in one, or choose another prefix."
            mistakes.add(ConfigurationError(refusal, location=group.location, hint=hint), group.source)
        if group.prefix[1:].partition("/")[0] in RESERVED:
            hint = "Choose another prefix."
            refusal = f"the path {group.prefix!r} is Gatepost's own."
            mistakes.add(ConfigurationError(refusal, location=group.location, hint=hint), group.source)
        if group.dialect is not None and group.dialect.scheme != dialect.scheme:
            mistakes.add(_two_schemes(group, group.dialect.scheme, dialect.scheme), group.source)


def _two_schemes(group: Group, scheme: str, of_app: str) -> ConfigurationError:
    return ConfigurationError(
        f"its dialect has scheme={scheme!r}, and the app's has {of_app!r}: credentials are the same for the whole app.",
        location=f"{group.location[:-1]}, dialect=...)",
        hint=f"Write scheme={of_app!r}, or give the app's dialect this scheme.",
    )


class _Route(NamedTuple):
    """A path of something, with the names of its parameters left out."""

    path: str
    location: str
    source: Source


def check_paths(of_app: DeclaredResources, groups: Sequence[DeclaredResources], mistakes: Mistakes) -> None:
    """Keep as mistakes the paths that lie below the prefix of another group: they would have the dialect of that one,
    and the policies of their own."""
    for declared in (of_app, *groups):
        others = [each for each in groups if each is not declared and not _is_below(declared.prefix, each.prefix)]
        refused: set[str] = set()
        for route in _routes(declared) if others else ():
            for other in others:
                if route.location not in refused and _covers(route.path, other.prefix):
                    refused.add(route.location)
                    error = ConfigurationError(
                        f"{route.path.replace(_PARAMETER, '{...}')} is below the prefix of {other.location}.",
                        location=route.location,
                        hint="Choose another path, or declare it in the group.",
                    )
                    mistakes.add(error, route.source)


def check_names(of_app: DeclaredResources, groups: Sequence[DeclaredResources], mistakes: Mistakes) -> None:
    """Keep as mistakes resources of one name: rate limits and operations go by it."""
    known: dict[str, Any] = {}
    for declared in (of_app, *groups):
        for served in declared.catalog.served:
            other = known.setdefault(served.name, served) if served.has_routes else served
            if other is not served and other.group != served.group:
                error = ConfigurationError(
                    f"the name {served.name!r} is that of a resource of a group.",
                    location=f"Resource({served.entity.name})",
                    hint="Choose another name=.",
                )
                mistakes.add(error, served.resource.source)


def _routes(declared: DeclaredResources) -> Iterator[_Route]:
    derived = derived_routes(declared.catalog.served, declared.prefix, declared.dialect)
    for (_, path), served in derived.items():
        yield _Route(path, f"Resource({served.entity.name})", served.resource.source)
    for bound in declared.endpoints:
        method = bound.method
        yield _Route(unnamed(bound.pattern), method.location, method.route.source or partial(location_of, method))


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


def _covers(path: str, prefix: str) -> bool:
    """Whether a path is, for some values of its parameters, at a prefix or below it."""
    segments, wanted = path.split("/"), prefix.split("/")
    return len(segments) >= len(wanted) and all(
        segment in (_PARAMETER, each) for segment, each in zip(segments, wanted, strict=False)
    )
