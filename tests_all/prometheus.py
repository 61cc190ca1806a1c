"""Debian's Prometheus and Alertmanager, as programs of a test: no system service, nothing listens but on 127.0.0.1."""

import contextlib
import json
import signal
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.acceptance.conftest import end_with_parent, wait_for
from tests.ports import free_port

SCRAPE = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]}}]}}
scrape_configs:
  - job_name: gatepost
    authorization: {{credentials: {token}}}
    static_configs: [{{targets: {targets}}}]
"""


def content_with(command: str, *arguments: str, folder: Path) -> str:
    """What promtool or amtool says, which has to be content."""
    done = subprocess.run([command, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@contextlib.contextmanager
def watching(folder: Path, targets: list[str], token: str) -> Iterator[int]:
    """Both, on the files that `gatepost monitoring export` wrote to the folder; gives Prometheus' port."""
    prometheus, alertmanager = free_port(), free_port()
    (folder / "prometheus.yml").write_text(
        SCRAPE.format(
            rules=json.dumps("gatepost-rules.yml"), alertmanager=alertmanager, token=token, targets=json.dumps(targets)
        )
    )
    commands = {
        "prometheus": [
            "prometheus", "--config.file=prometheus.yml", f"--web.listen-address=127.0.0.1:{prometheus}",
            "--storage.tsdb.path=tsdb",
        ],
        # Without an empty address for its cluster it would open a port to the network.
        "alertmanager": [
            "prometheus-alertmanager", "--config.file=alertmanager.yml", "--cluster.listen-address=",
            f"--web.listen-address=127.0.0.1:{alertmanager}", "--storage.path=alertmanager",
        ],
    }  # fmt: skip
    running: list[subprocess.Popen[bytes]] = []
    try:
        for name, command in commands.items():
            with (folder / f"{name}.log").open("wb") as log:
                running.append(
                    subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, preexec_fn=end_with_parent)
                )
        for port in (prometheus, alertmanager):
            wait_for(lambda port=port: _is_ready(port), f"what listens at {port}")
        yield prometheus
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        for process in running:
            process.wait(20)


def asked(port: int, path: str) -> Any:
    """The data that Prometheus responds with."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as response:
        found: Mapping[str, Any] = json.load(response)
    return found["data"]


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False
