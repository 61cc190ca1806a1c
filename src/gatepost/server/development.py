"""What a development server sets for itself, so that it needs no settings. Used by `gatepost dev` and `make run`."""

import os
from pathlib import Path


def prepare_environment(*, host: str | None, port: int | None, data: Path) -> None:
    """Put options and the development key where every process of this server reads its settings: the environment."""
    os.environ["GATEPOST_ENV"] = "development"
    if host is not None:
        os.environ["GATEPOST_HOST"] = host
    if port is not None:
        os.environ["GATEPOST_PORT"] = str(port)
    os.environ.setdefault("GATEPOST_LOG_FOLDER", str((data / "logs").resolve()))
    os.environ.setdefault("GATEPOST_RECORDS_FOLDER", str((data / "records").resolve()))
    if not os.environ.get("GATEPOST_SIGNING_KEY") and not os.environ.get("GATEPOST_SIGNING_KEY_FILE"):
        from gatepost.auth.keys import KEY_FILE, development_key

        development_key(data)
        os.environ["GATEPOST_SIGNING_KEY_FILE"] = str((data / KEY_FILE).resolve())
