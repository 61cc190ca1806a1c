"""Scalars of the files that Prometheus and Alertmanager read: YAML takes strings as JSON writes them."""

import json


def quoted(text: str) -> str:
    """A string of YAML."""
    return json.dumps(text, ensure_ascii=False)


def duration(seconds: float) -> str:
    """A duration of Prometheus: `3d`, `5m`, `1500ms`."""
    milliseconds = round(seconds * 1000)
    for unit, length in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds % length == 0 and milliseconds:
            return f"{milliseconds // length}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"
