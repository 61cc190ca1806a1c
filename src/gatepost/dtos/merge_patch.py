"""JSON Merge Patch (RFC 7396 section 2), used by services for documents in JSON columns."""

from typing import Any, cast


def merge_patch(target: Any, patch: Any) -> Any:
    """`target` changed by `patch`: members of objects merge, null removes one, everything else replaces.

    Neither argument is changed; unchanged parts are shared. Recursion is as deep as the patch, which the body decoder
    bounds.
    """
    if not isinstance(patch, dict):
        return patch
    changes = cast("dict[str, Any]", patch)
    merged: dict[str, Any] = dict(cast("dict[str, Any]", target)) if isinstance(target, dict) else {}
    for name, change in changes.items():
        if change is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), change)
    return merged
