"""Compiled statements of an app, cached by their recipes. Bounded, because clients choose the shapes of requests."""

from typing import Any, TypeVar, cast

from gatepost.bounded_cache import BoundedCache
from gatepost.models.recipes import Options, Recipe, key_of

P = TypeVar("P")

PLANS_MAX = 2048
"""Plans kept; compiling one again takes about 300 us."""

_MISSING = object()


class Plans:
    """A bounded cache of statements, compiled with `options`."""

    __slots__ = ("_kept", "_kept_elsewhere", "options")

    def __init__(self, options: Options) -> None:
        self._kept = BoundedCache[Recipe[Any], Any](PLANS_MAX)
        self._kept_elsewhere: list[dict[Any, Any]] = []
        self.options = options

    def compile_with(self, options: Options) -> None:
        """Forget all plans: from now on statements are compiled with these options."""
        self.options = options
        self._kept.clear()
        for cache in self._kept_elsewhere:
            cache.clear()

    def clear_too(self, cache: dict[Any, Any]) -> None:
        """Clear another cache that has plans, by keys of its own, whenever all plans are forgotten."""
        self._kept_elsewhere.append(cache)

    def get(self, recipe: Recipe[P]) -> P:
        """The plan of this recipe and all that equal it, made at its first use."""
        found = self._kept.get(recipe, _MISSING)
        if found is _MISSING:
            found = recipe.compile(self.options)
            if not recipe.is_for_one_call:
                self._kept[key_of(recipe)] = found
        return cast("P", found)
