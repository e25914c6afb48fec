"""What can be set or typed is documented, and what is documented can be set or typed."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from nogi_otel.cli.main import VERBS
from nogi_otel.version import __version__

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
VARIABLES = re.findall(
    r"^(OTEL_PYTHON_NOGI_\w+)\b",
    (ROOT / "src" / "nogi_otel" / "environment_variables.py").read_text(encoding="utf-8"),
    re.MULTILINE,
)


def run_tool(*arguments: str) -> str:
    """Run ``nogi-otel`` as a user does and return what it prints."""
    tool = Path(sys.executable).with_name("nogi-otel")
    finished = subprocess.run(
        [tool, *arguments], check=False, capture_output=True, text=True, timeout=60
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_every_variable_stands_in_the_readme() -> None:
    """The README's table lists every environment variable of the code, and no other."""
    assert VARIABLES
    assert re.findall(r"^\| `(OTEL_PYTHON_NOGI_\w+)`", README, re.MULTILINE) == VARIABLES


@pytest.mark.parametrize("page", ["README.md", *PAGES])
def test_no_page_names_a_variable_that_does_not_exist(page: str) -> None:
    """A page that names an environment variable of ours names one that the code reads."""
    text = README if page == "README.md" else PAGES[page]
    assert set(re.findall(r"OTEL_PYTHON_NOGI_\w*[A-Z]", text)) <= set(VARIABLES)


def test_every_verb_has_help_and_a_place_in_the_docs() -> None:
    """Each verb explains itself, and docs/commands.md shows that explanation."""
    documented = re.findall(r"^```\{command-help\} (\S+)$", PAGES["commands.md"], re.MULTILINE)
    assert documented == list(VERBS)
    for verb in documented:
        usage, _, description = run_tool(verb, "--help").partition("\n\n")
        assert usage.startswith(f"usage: nogi-otel {verb}")
        assert not description.startswith("options:"), f"{verb} does not say what it does"


def test_every_page_can_be_reached() -> None:
    """The index's table of contents names every page."""
    toctree = PAGES["index.md"].partition("```{toctree}")[2].partition("```")[0]
    listed = set(re.findall(r"^([a-z]+)$", toctree, re.MULTILINE))
    assert listed == {Path(name).stem for name in PAGES} - {"index"}


def test_links_of_the_readme_lead_somewhere() -> None:
    """Every relative link of the README and of CONTRIBUTING names a file of the checkout."""
    text = README + (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    targets = {
        target.partition("#")[0]
        for target in re.findall(r"\]\(([^)]+)\)", text)
        if not target.startswith(("http", "#"))
    }
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_changelog_begins_with_this_version() -> None:
    """The newest released entry of the changelog is the version that the code stamps."""
    released = re.findall(
        r"^## \[?(\d[\w.]*)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert released[0] == __version__


def test_every_task_of_the_makefile_is_explained() -> None:
    """CONTRIBUTING names every task that ``make help`` lists."""
    tasks = re.findall(r"^([a-z-]+):.* ## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [task for task in tasks if f"`make {task}`" not in contributing] == []
