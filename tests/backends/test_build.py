"""What builds the backends: it says what it cannot do, and does nothing twice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BUILD = Path(__file__).with_name("build.py")


def run_build(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it with some variables changed."""
    return subprocess.run(
        [sys.executable, str(BUILD), *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_go_it_says_so_in_one_line(tmp_path: Path) -> None:
    """It names what is missing and what to install."""
    finished = run_build(PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    assert finished.returncode == 1
    assert finished.stdout == (
        "no Go toolchain is found, so otelcol, jaeger cannot be built: install Go 1.26 or later\n"
    )
    assert finished.stderr == ""


@pytest.mark.skipif(shutil.which("go") is None, reason="Go is not installed")
def test_what_cannot_be_built_is_named_with_its_error(tmp_path: Path) -> None:
    """Each program fails for itself; Go's own message is shown, and nothing half built stays."""
    caches = {name: str(tmp_path / name) for name in ("XDG_CACHE_HOME", "GOMODCACHE")}
    finished = run_build(GOPROXY="off", GOFLAGS="-modcacherw", **caches)
    assert finished.returncode == 1
    listed = json.loads(run_build("--list", **caches).stdout)
    for name in ("otelcol", "jaeger"):
        assert f"{name} {listed[name]['version']}: failed" in finished.stdout
    assert finished.stdout.count("module lookup disabled by GOPROXY=off") == 2
    assert not any(one["built"] for one in listed.values())


def test_a_program_stands_under_its_version(tmp_path: Path) -> None:
    """Outside the checkout, and another version would stand elsewhere."""
    listed = json.loads(run_build("--list", XDG_CACHE_HOME=str(tmp_path)).stdout)
    for name, one in listed.items():
        path = Path(one["path"])
        assert path.is_relative_to(tmp_path)
        assert path.parent.name.startswith(f"{name}-{one['version']}-")


def test_what_is_there_is_not_built_again(tmp_path: Path) -> None:
    """A second run needs no Go and only says where the programs are."""
    listed = json.loads(run_build("--list", XDG_CACHE_HOME=str(tmp_path)).stdout)
    for one in listed.values():
        path = Path(one["path"])
        path.parent.mkdir(parents=True)
        path.touch(mode=0o700)
    finished = run_build("--all", PATH=str(tmp_path), XDG_CACHE_HOME=str(tmp_path))
    assert finished.returncode == 0
    assert finished.stdout.splitlines() == [
        f"{name} {one['version']}: {one['path']}" for name, one in listed.items()
    ]
    assert run_build("otelkol").returncode == 2
