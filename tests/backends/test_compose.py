"""examples/compose/: what can be known of it without Docker."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FOLDER = Path(__file__).parents[2] / "examples" / "compose"
COMPOSE = FOLDER / "compose.yaml"
GRAFANA = FOLDER / "grafana"


def read_services() -> dict[str, Any]:
    """Return the services of the composition."""
    services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    return services


def read_datasources() -> dict[str, Any]:
    """Return Grafana's datasources by uid."""
    text = (GRAFANA / "datasources" / "datasources.yaml").read_text(encoding="utf-8")
    return {one["uid"]: one for one in yaml.safe_load(text)["datasources"]}


def walk(value: Any) -> Iterator[dict[str, Any]]:
    """Give every object in a JSON value."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def test_composition_follows_the_schema() -> None:
    """The compose specification's own schema takes it."""
    command = [sys.executable, "-m", "check_jsonschema"]
    command += ["--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr


def test_composition_stays_on_this_machine() -> None:
    """Every port is published on loopback, every image has a version, every file is there."""
    for name, service in read_services().items():
        assert re.fullmatch(r"[\w/-]+:\d+\.\d+\.\d+", service["image"]), name
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert not source.startswith(".") or (FOLDER / source).exists(), source


def test_addresses_are_services() -> None:
    """Whatever the Collector and Grafana are told to speak to is a service of the composition."""
    text = (FOLDER / "collector.yaml").read_text(encoding="utf-8")
    exporters = yaml.safe_load(text)["exporters"]
    urls = [one["endpoint"] for one in exporters.values()]
    urls += [one["url"] for one in read_datasources().values()]
    services = read_services()
    assert urls
    for url in urls:
        assert url.removeprefix("http://").split(":")[0] in services, url


def test_links_lead_to_datasources() -> None:
    """From a span to its logs, from a log record to its trace, and every panel's own."""
    datasources = read_datasources()
    told = json.loads((GRAFANA / "dashboards" / "audit.json").read_text(encoding="utf-8"))
    named = [one["datasource"]["uid"] for one in walk(told) if "datasource" in one]
    for source in datasources.values():
        named += [one["datasourceUid"] for one in walk(source) if "datasourceUid" in one]
    assert len(named) > len(told["panels"])
    assert set(named) <= set(datasources)
    assert datasources["tempo"]["jsonData"]["tracesToLogsV2"]["datasourceUid"] == "loki"
    assert datasources["loki"]["jsonData"]["derivedFields"][0]["datasourceUid"] == "tempo"


def test_panels_have_room_and_numbers_of_their_own() -> None:
    """No two panels of the dashboard lie on each other or share a number."""
    told = json.loads((GRAFANA / "dashboards" / "audit.json").read_text(encoding="utf-8"))
    panels = told["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_real_loki_takes_its_configuration(find_program: Callable[[str], str]) -> None:
    """The real Loki verifies the file."""
    command = [find_program("loki"), f"-config.file={FOLDER / 'loki.yaml'}", "-verify-config"]
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
