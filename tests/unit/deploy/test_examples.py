"""The examples in `deploy`: their commands, settings, ports and paths are Gatepost's, and fit each other."""

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from joserfc.jwk import OKPKey
from sqlalchemy.orm import Mapped
from tests.unit.deploy.compose_haproxy import configuration

from gatepost import App, Model, Resource, anyone
from gatepost.cli.commands import gatepost
from gatepost.environment import load_settings, unknown_settings
from gatepost.server.__main__ import parser
from gatepost.server.safety import refuse_unsafe
from gatepost.settings import Settings

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
OBJECTS = [
    item for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")) for item in yaml.safe_load_all(path.read_text())
]
SERVICES: Mapping[str, Any] = COMPOSE["services"]
IMAGE = "registry.example/shop:v1"
SECRETS = {
    "DATABASE_URL": "postgresql://shop:secret@primary/shop",
    "GATEPOST_SIGNING_KEY": OKPKey.generate_key("Ed25519").as_pem(private=True).decode(),
    "GATEPOST_ADMIN_TOKEN": "a" * 48,
}
"""What containers read from files and Secrets."""


def objects(kind: str) -> dict[str, Any]:
    """The objects of Kubernetes of a kind, by name."""
    return {item["metadata"]["name"]: item for item in OBJECTS if item["kind"] == kind}


def containers() -> Iterator[tuple[str, Any, Mapping[str, str], list[str]]]:
    """Every container of the application: its name, itself, its environment, and its command."""
    for name, service in SERVICES.items():
        if service["image"] == IMAGE:
            yield f"compose {name}", service, service["environment"], service.get("command", image_command())
    maps = objects("ConfigMap")
    for name, item in chain(objects("Deployment").items(), objects("Job").items()):
        for container in item["spec"]["template"]["spec"]["containers"]:
            if container["image"] == IMAGE:
                given = [maps[each["configMapRef"]["name"]]["data"] for each in container.get("envFrom", [])]
                own = {each["name"]: each.get("value", "from-elsewhere") for each in container["env"]}
                environ = dict(chain.from_iterable(each.items() for each in [*given, own]))
                yield f"kubernetes {name}", container, environ, container["command"]


def image_command() -> list[str]:
    """What the image of a new project runs."""
    text = (ROOT / "src/gatepost/cli/template/Containerfile.txt").read_text()
    (words,) = re.findall(r"^CMD (\[.+\])$", text, re.M)
    found: list[str] = yaml.safe_load(words)
    return found


CONTAINERS = {name: (container, environ, command) for name, container, environ, command in containers()}
SERVING = [name for name, (_, _, command) in CONTAINERS.items() if command[1] == "serve"]


def settings_of(name: str) -> Settings:
    """The settings of a container, as it would load them."""
    environ = CONTAINERS[name][1]
    known = {key: value for key, value in environ.items() if key.removesuffix("_FILE") not in SECRETS}
    options = vars(parser().parse_args(CONTAINERS[name][2][2:])) if name in SERVING else {}
    host = {"GATEPOST_HOST": options["host"]} if options.get("host") else {}
    return load_settings({**known, **host, **SECRETS})


def test_all_of_them_are_looked_at() -> None:
    assert CONTAINERS.keys() == {
        *(f"compose {name}" for name in ("app-1", "app-2", "migrate")),
        *(f"kubernetes {name}" for name in ("shop", "shop-migrate-v1")),
    }


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_has_settings_and_a_command_that_gatepost_knows(name: str) -> None:
    _, environ, command = CONTAINERS[name]
    names = {key.removesuffix("_FILE") if key.removesuffix("_FILE") in SECRETS else key for key in environ}
    assert list(unknown_settings(dict.fromkeys(names, ""))) == []
    assert command[0] == "gatepost"
    if name in SERVING:
        refuse_unsafe(settings_of(name))
        parser().parse_args(command[2:])
    else:
        parse(command[1:])


def parse(words: list[str]) -> None:
    """Let the command of these words parse its options. Raises where there is none, or one that it does not have."""
    found: Any = typer.main.get_command(gatepost)
    context: Any = None
    while hasattr(found, "commands"):
        context = typer.Context(found, parent=context)
        found, words = found.commands[words[0]], words[1:]
    found.make_context("gatepost", list(words), parent=context)


def test_what_units_and_comments_run_are_commands() -> None:
    texts = [
        path.read_text()
        for path in DEPLOY.rglob("*")
        if path.suffix in {".yaml", ".yml", ".service", ".cfg", ""}
        if path.is_file()
    ]
    found = [line for text in texts for line in re.findall(r"(?:bin/|-- |#   )(gatepost [^\n#]+)", text)]
    assert len(found) >= 5
    for line in found:
        words = re.sub(r"%i|\$\w+", "8001", line).split()[1:]
        if words[0] == "serve":
            parser().parse_args(words[1:])
        else:
            parse(words)


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_may_do_nothing_that_it_need_not(name: str) -> None:
    container, environ, _ = CONTAINERS[name]
    if name.startswith("compose"):
        assert container["read_only"]
        assert container["cap_drop"] == ["ALL"]
        assert container["security_opt"] == ["no-new-privileges:true"]
        writable = {each.split(":")[0] for each in container["tmpfs"]}
    else:
        rights = container["securityContext"]
        assert rights["readOnlyRootFilesystem"]
        assert rights["capabilities"] == {"drop": ["ALL"]}
        assert not rights["allowPrivilegeEscalation"]
        assert container["resources"]["limits"]["memory"]
        writable = {each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")}
    folders = {environ[key] for key in ("GATEPOST_RECORDS_FOLDER", "GATEPOST_LOG_FOLDER") if key in environ}
    assert writable == {"/tmp", *folders}  # noqa: S108 - in a container


def test_pods_are_not_root_as_the_image_is_not() -> None:
    (user,) = re.findall(r"^USER (\d+):\d+$", (ROOT / "src/gatepost/cli/template/Containerfile.txt").read_text(), re.M)
    for kind in ("Deployment", "Job"):
        for name, item in objects(kind).items():
            pod = item["spec"]["template"]["spec"]
            assert pod["securityContext"]["runAsNonRoot"], name
            if name != "shop-valkey":
                assert pod["securityContext"]["runAsUser"] == int(user)


@pytest.mark.parametrize("name", SERVING)
def test_an_instance_has_time_to_drain(name: str) -> None:
    settings = settings_of(name)
    delay = settings.server.drain_delay_seconds
    needed = (3.0 if delay is None else delay) + settings.server.drain_seconds
    pod = objects("Deployment")["shop"]["spec"]["template"]["spec"]
    given = float(CONTAINERS[name][0].get("stop_grace_period", f"{pod['terminationGracePeriodSeconds']}s").rstrip("s"))
    assert given >= needed + 5


class ExampleNote(Model):
    __tablename__ = "example_notes"
    text: Mapped[str]


def test_probes_and_ports_are_those_of_a_server() -> None:
    (container, _, _) = CONTAINERS["kubernetes shop"]
    settings = settings_of("kubernetes shop")
    assert settings.admin.bind is not None
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports == {"http": settings.server.port, "admin": int(settings.admin.bind.rpartition(":")[2])}
    assert {each["targetPort"] for each in objects("Service")["shop"]["spec"]["ports"]} == {"http"}
    paths = {container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    served = {operation.path for operation in App(Resource(ExampleNote, read=anyone)).composed(settings).operations}
    assert paths == {"/livez", "/readyz"}
    assert paths <= served
    monitored = yaml.safe_load((DEPLOY / "compose/prometheus/prometheus.yml").read_text())["scrape_configs"][0]
    (targets,) = [each["targets"] for each in monitored["static_configs"]]
    instances = [name.removeprefix("compose ") for name in SERVING if name.startswith("compose")]
    admin = settings_of("compose app-1").admin.bind
    assert admin is not None
    assert targets == [f"{name}:{admin.rpartition(':')[2]}" for name in instances]


def connections_of(settings: Settings) -> int:
    """What an instance opens at most, as docs/how-to/run-in-production.md says."""
    return 2 * settings.server.workers * (settings.database.pool_size + 1) + 2


def test_the_database_has_room_for_all_instances() -> None:
    scaler = objects("HorizontalPodAutoscaler")["shop"]["spec"]
    surge = objects("Deployment")["shop"]["spec"]["strategy"]["rollingUpdate"]["maxSurge"]
    cluster = objects("Cluster")["shop-db"]["spec"]["postgresql"]["parameters"]
    needed = (scaler["maxReplicas"] + surge) * connections_of(settings_of("kubernetes shop"))
    assert needed + 30 <= int(cluster["max_connections"])
    given = re.findall(r"max_connections=(\d+)", " ".join(SERVICES["primary"]["command"]))
    standby = re.findall(r"max_connections=(\d+)", (DEPLOY / "compose/standby.sh").read_text())
    assert given == standby, "a standby needs as many as its primary"
    compose = [name for name in SERVING if name.startswith("compose")]
    assert sum(connections_of(settings_of(name)) for name in compose) + 30 <= int(given[0])


def test_what_is_named_is_there() -> None:
    known = {
        "ConfigMap": objects("ConfigMap").keys(),
        "Secret": {"shop-db-app", "shop-admin-token", "shop-signing-key"},
    }
    text = (DEPLOY / "kubernetes/shop.yaml").read_text() + (DEPLOY / "kubernetes/migrate.yaml").read_text()
    assert set(re.findall(r"secretKeyRef: \{name: ([\w-]+)", text)) <= known["Secret"]
    assert "shop-db" in objects("Cluster"), "the operator makes the Secret shop-db-app of it"
    for name in ("PodDisruptionBudget", "NetworkPolicy", "Service"):
        spec = objects(name)["shop"]["spec"]
        labels = (spec.get("selector") or spec["podSelector"]).get("matchLabels", spec.get("selector"))
        assert labels == objects("Deployment")["shop"]["spec"]["template"]["metadata"]["labels"]
    valkey = objects("Service")["shop-valkey"]["spec"]["ports"][0]["port"]
    assert settings_of("kubernetes shop").valkey.url == f"valkey://shop-valkey:{valkey}/0"
    for service in SERVICES.values():
        assert set(service.get("secrets", [])) <= COMPOSE["secrets"].keys()
        assert set(service["networks"]) <= COMPOSE["networks"].keys()
        assert set(service.get("depends_on", {})) <= SERVICES.keys()
        mounts = [each.split(":")[0] for each in service.get("volumes", [])]
        assert all(each in COMPOSE["volumes"] or (DEPLOY / each).exists() or each == "../certs" for each in mounts)


def test_the_balancer_of_compose_has_the_rules_of_the_other_one() -> None:
    assert (DEPLOY / "compose/haproxy.cfg").read_text() == configuration()


def test_the_examples_say_that_they_were_not_run() -> None:
    for name in ("compose.yaml", "kubernetes/shop.yaml"):
        assert "has not been run" in " ".join((DEPLOY / name).read_text()[:600].replace("#", " ").split())
