"""What importing and arming load: the rooms that must stay light, asked in child processes."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "nogi_otel"
HEAVY = ("opentelemetry", "google", "grpc", "uvicorn", "requests", "wrapt")


def list_loaded_modules(program: str) -> set[str]:
    """Run a program in a child and return the modules it added to those of a bare start."""
    report = (
        "import sys; before = set(sys.modules)\n"
        f"{program}\n"
        "import json; print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", report], check=False, capture_output=True, text=True, timeout=60
    )
    assert finished.returncode == 0, finished.stderr
    return set(json.loads(finished.stdout.splitlines()[-1]))


def pick_roots(modules: set[str], roots: tuple[str, ...]) -> set[str]:
    """Return the modules that are one of these or lie below it."""
    return {name for name in modules if name.partition(".")[0] in roots}


@pytest.mark.parametrize(
    "program",
    [
        "import nogi_otel",
        "import nogi_otel.errors, nogi_otel.settings, nogi_otel.environment_variables",
        "import nogi_otel.capture",
        "import nogi_otel.catalogue",
        "import nogi_otel.cli.main",
    ],
)
def test_import_is_light(program: str) -> None:
    """The package, its lower rooms and its tools load neither OpenTelemetry nor a server."""
    assert pick_roots(list_loaded_modules(program), HEAVY) == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["listen", "--help"]])
def test_help_is_light(arguments: list[str]) -> None:
    """Asking the tools for help loads neither OpenTelemetry nor a server."""
    program = (
        "import contextlib\n"
        "from nogi_otel.cli.main import run\n"
        f"with contextlib.suppress(SystemExit): run({arguments!r})"
    )
    assert pick_roots(list_loaded_modules(program), HEAVY) == set()


def test_arming_loads_no_sockets() -> None:
    """Arming adds no module that gevent has to patch first, and no exporter."""
    arming = "from nogi_otel.instrumentor import NogiInstrumentor; NogiInstrumentor().instrument()"
    frame = "from opentelemetry.instrumentation.instrumentor import BaseInstrumentor"
    added = list_loaded_modules(arming) - list_loaded_modules(frame)
    patched = ("asyncio", "multiprocessing", "select", "socket", "ssl", "subprocess")
    assert pick_roots(added, (*patched, "google", "grpc", "requests", "urllib3")) == set()
    assert "opentelemetry.sdk" not in added


def test_capture_imports_the_standard_library_only() -> None:
    """The hot room names no third-party module, not even inside a function."""
    imported = set()
    for path in sorted((PACKAGE / "capture").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported.add(node.module or "")
    roots = {name.partition(".")[0] for name in imported}
    assert roots - sys.stdlib_module_names == {"nogi_otel"}
    ours = {name for name in imported if name.startswith("nogi_otel")}
    assert all(name.startswith(("nogi_otel.capture", "nogi_otel.errors")) for name in ours)
