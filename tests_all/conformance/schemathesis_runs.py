"""Runs of schemathesis against a site: all its phases and checks, for one audience."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests_all.conformance.sites import AUDIENCES, ROOT, SITES, Address

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
PHASES = "examples,coverage,fuzzing,stateful"
SECONDS_OVER_MAX = 300
"""A run that is over its time finishes what it is at, which takes long on a busy machine."""

PARALLEL = 2

WEIGHTS = {"bookshop": 1, "conduit": 1, "everything": 3}
"""How much of the time a site gets."""

Case = tuple[str, str]
CASES: list[Case] = [(site.name, audience) for site in SITES for audience in AUDIENCES]


@dataclass(frozen=True)
class Run:
    """What a run has found; `output` says how to repeat each request."""

    seed: int
    output: str
    cases: int
    failures: int


def run_all(addresses: Mapping[str, Address], seconds: float, folder: Path, seeds: Iterator[int]) -> dict[Case, Run]:
    """One run for each audience of each site, two at a time, so many seconds together; each takes one of the seeds."""
    whole = sum(WEIGHTS[name] for name, _ in CASES)
    with ThreadPoolExecutor(PARALLEL) as pool:
        made = {
            (name, audience): pool.submit(
                run, addresses[name], audience, round(seconds * PARALLEL * WEIGHTS[name] / whole), folder, next(seeds)
            )
            for name, audience in CASES
        }
        return {case: future.result() for case, future in made.items()}


def run(address: Address, audience: str, seconds: int, folder: Path, seed: int) -> Run:
    """Let schemathesis talk to a site for so many seconds."""
    report = folder / f"{address.site.name}_{audience}.json"
    authorization = address.authorizations.get(audience)
    environ = {
        **os.environ,
        "SCHEMATHESIS_HOOKS": "tests_all.conformance.hooks",
        "PYTHONPATH": str(ROOT),
    }
    command = [
        SCHEMATHESIS, "run", f"{address.url}/openapi.json", "--phases", PHASES, "--checks", "all",
        "--continue-on-failure", "--max-time", str(seconds), "--seed", str(seed), "--generation-database", "none",
        "--warnings", "off", "--no-color", "--report", "json", "--report-json-path", report,
        *(() if authorization is None else ("--header", f"Authorization: {authorization}")),
    ]  # fmt: skip
    done = subprocess.run(
        command,
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=seconds + SECONDS_OVER_MAX,
        check=False,
    )
    output = done.stdout + done.stderr
    assert report.exists(), output
    said = json.loads(report.read_text())
    found = said["test_cases"]["unique_failures"] + len(said["errors"])
    return Run(seed, output, said["test_cases"]["generated"], found)
