"""Every capture core must pass this suite; each test runs in a child process of its own.

A test that asks for ``bench`` is not called here: ``child.py`` calls it, with the core that
``core_name`` names, because an audit hook cannot be removed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("child.py")
CORES = ["python"]
DEADLINE_S = 120
EXIT_NOT_HERE = 77


@pytest.fixture(params=CORES)
def core_name(request: pytest.FixtureRequest) -> str:
    """The capture core under test."""
    return str(request.param)


@pytest.fixture
def bench(core_name: str) -> str:
    """Stand in for the bench of the child process."""
    return core_name


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run the test in a child: warnings are errors there, and standard error must stay empty."""
    if "bench" not in pyfuncitem.fixturenames:
        return None
    command = [sys.executable, "-W", "error", "-X", "faulthandler", str(CHILD)]
    command += [
        str(pyfuncitem.funcargs["bench"]),
        str(pyfuncitem.path),
        pyfuncitem.function.__name__,
    ]
    try:
        child = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            cwd=pyfuncitem.path.parent,
        )
    except subprocess.TimeoutExpired as error:
        errors = error.stderr or b""  # bytes, whatever was asked for
        pytest.fail(f"the child hangs; standard error:\n{errors!r}", pytrace=False)
    if child.returncode == EXIT_NOT_HERE:
        pytest.skip(child.stdout.strip())
    if child.returncode or child.stderr:
        pytest.fail(f"exit code {child.returncode}\n{child.stdout}{child.stderr}", pytrace=False)
    return True
