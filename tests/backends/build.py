"""Build the real backends that the tests run, from Go modules, into a cache outside the checkout.

  python tests/backends/build.py           the Collector and Jaeger
  python tests/backends/build.py --all     also what takes more than ten minutes
  python tests/backends/build.py --list    one JSON object: where each program is or would be

The cache is ``$XDG_CACHE_HOME/nogi-otel/backends`` (``~/.cache`` where that is not set). A program
stands there under its version and a digest of all that decides what it becomes, so a second run
costs nothing. Go keeps its own caches beside it where ``GOCACHE`` and ``GOMODCACHE`` say.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FOLDER = Path(__file__).parent
NICENESS = 15


class BuildError(Exception):
    """A program could not be built; the message says why."""


class Program:
    """One backend: what it is built from, and where it is kept."""

    def __init__(self, name: str, pin: Mapping[str, Any]) -> None:
        self.name = name
        self.version: str = pin["version"]
        self.is_slow: bool = pin.get("slow", False)
        self._pin = pin
        source = self._render_manifest("") if "builder" in pin else self._render_module()
        digest = hashlib.sha256(source.encode()).hexdigest()[:8]
        self.path = find_cache() / f"{name}-{self.version}-{digest}" / name

    @property
    def is_built(self) -> bool:
        """Whether the program is there."""
        return os.access(self.path, os.X_OK)

    def build(self, log: Path) -> None:
        """Build it, whatever is there.

        Raises:
            BuildError: Go could not.
        """
        with tempfile.TemporaryDirectory(prefix=f"nogi-{self.name}-") as name:
            folder = Path(name)
            if "builder" in self._pin:
                program = self._build_collector(folder, log)
            else:
                program = self._build_module(folder, log)
            # Beside its place first: a rename within one folder is whole or not at all.
            self.path.parent.mkdir(parents=True, exist_ok=True)
            beside = self.path.with_suffix(".new")
            shutil.move(program, beside)
            beside.replace(self.path)

    def _build_collector(self, folder: Path, log: Path) -> Path:
        manifest = folder / "ocb.yaml"
        manifest.write_text(self._render_manifest(str(folder / "otelcol")), encoding="utf-8")
        run_go(["install", self._pin["builder"]], folder, log, GOBIN=str(folder))
        run([str(folder / "builder"), "--config", str(manifest)], folder, log)
        return folder / "otelcol" / self.name

    def _build_module(self, folder: Path, log: Path) -> Path:
        """Build a program of another module, in a module of our own that replaces as its does."""
        (folder / "go.mod").write_text(self._render_module(), encoding="utf-8")
        module = f"{self._pin['module']}@{self._pin['module_version']}"
        found = json.loads(run_go(["mod", "download", "-json", module], folder, log))
        # Its authors' check sums of its dependencies: what they built is what we build.
        shutil.copyfile(Path(found["Dir"], "go.sum"), folder / "go.sum")
        package = f"{self._pin['module']}/{self._pin['package']}"
        # Stripped: symbols would double the time that linking takes.
        command = ["build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", self.name, package]
        run_go(command, folder, log, CGO_ENABLED="0")
        return folder / self.name

    def _render_manifest(self, output: str) -> str:
        text = (FOLDER / "ocb.yaml").read_text(encoding="utf-8")
        return Template(text).substitute(
            self._pin["modules"], version=self.version, output=output or "OUTPUT"
        )

    def _render_module(self) -> str:
        lines = [f"module nogi.example/{self.name}", "go 1.26.0"]
        lines.append(f"require {self._pin['module']} {self._pin['module_version']}")
        lines += [f"replace {old} => {new}" for old, new in self._pin.get("replace", {}).items()]
        return "\n\n".join(lines) + "\n"


def find_cache() -> Path:
    """Return the folder that keeps the programs."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home, "nogi-otel", "backends")


def read_programs() -> list[Program]:
    """Return all programs that versions.toml names."""
    pins = tomllib.loads((FOLDER / "versions.toml").read_text(encoding="utf-8"))
    return [Program(name, pin) for name, pin in pins.items()]


def run_go(arguments: Sequence[str], folder: Path, log: Path, **variables: str) -> str:
    """Run Go in a folder; return what it prints."""
    return run(["go", *arguments], folder, log, **variables)


def run(command: Sequence[str], folder: Path, log: Path, **variables: str) -> str:
    """Run a command, its errors into the log; return what it prints.

    Raises:
        BuildError: it failed; has the last lines of the log.
    """
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOWORK": "off"} | variables
    with log.open("a", encoding="utf-8") as errors:
        errors.write(f"$ {' '.join(command)}\n")
        errors.flush()
        finished = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            check=False,
        )
        errors.write(finished.stdout)
    if finished.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        told = [line for line in lines if not line.startswith("go: downloading")]
        raise BuildError("\n".join(f"  {line}" for line in told[-8:]))
    return finished.stdout


def list_programs(programs: Sequence[Program]) -> dict[str, dict[str, Any]]:
    """Return what there is of each program, as plain data."""
    return {
        program.name: {
            "version": program.version,
            "path": str(program.path),
            "built": program.is_built,
            "slow": program.is_slow,
        }
        for program in programs
    }


def build(programs: Sequence[Program]) -> int:
    """Build what is missing, one after the other; return how many failed."""
    missing = [program for program in programs if not program.is_built]
    for program in programs:
        if program.is_built:
            print(f"{program.name} {program.version}: {program.path}")
    if missing and shutil.which("go") is None:
        names = ", ".join(program.name for program in missing)
        print(f"no Go toolchain is found, so {names} cannot be built: install Go 1.26 or later")
        return len(missing)
    failed = 0
    os.nice(NICENESS)
    for program in missing:
        started = time.monotonic()
        print(f"{program.name} {program.version}: building", flush=True)
        log = find_cache() / f"{program.name}-{program.version}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
        try:
            program.build(log)
        except BuildError as error:
            failed += 1
            print(f"{program.name} {program.version}: failed; all of it is in {log}\n{error}")
        else:
            print(f"  {time.monotonic() - started:.0f} s: {program.path}", flush=True)
    return failed


def main() -> int:
    """Build or list; the exit code is 1 where a program is missing after it."""
    parser = argparse.ArgumentParser(description="Build the real backends that the tests run.")
    parser.add_argument("--all", action="store_true", help="also what takes over ten minutes")
    parser.add_argument("--list", action="store_true", help="print where each one is, as JSON")
    parser.add_argument("names", nargs="*", help="only these")
    arguments = parser.parse_args()
    programs = read_programs()
    if arguments.list:
        print(json.dumps(list_programs(programs)))
        return 0
    if arguments.names:
        unknown = set(arguments.names) - {program.name for program in programs}
        if unknown:
            parser.error(f"versions.toml has no {', '.join(sorted(unknown))}")
        wanted = [program for program in programs if program.name in arguments.names]
    else:
        wanted = [program for program in programs if arguments.all or not program.is_slow]
    return 1 if build(wanted) else 0


if __name__ == "__main__":
    sys.exit(main())
