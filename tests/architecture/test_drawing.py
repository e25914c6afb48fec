"""The drawing in docs/architecture.md is the code's own shape."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import tomli

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "nogi_otel"
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def read_block(marker: str) -> list[str]:
    """Return the lines of the fenced block whose first line begins with the marker."""
    block = re.search(rf"^```text\n({re.escape(marker)}.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert block, f"docs/architecture.md has no block that begins with {marker}"
    return block[1].splitlines()


def read_tree() -> set[str]:
    """Return the paths of the drawing's tree: two blanks of indent a level, a folder ends in /."""
    folders: list[str] = []
    paths = set()
    for line in read_block("src/nogi_otel/")[1:]:
        depth = (len(line) - len(line.lstrip())) // 2
        name = line.split()[0]
        del folders[depth - 1 :]
        if name.endswith("/"):
            folders.append(name)
        else:
            paths.add("".join([*folders, name]))
    return paths


def read_configuration() -> dict[str, Any]:
    """Return the tools' settings of pyproject.toml."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        tools: dict[str, Any] = tomli.load(file)["tool"]
    return tools


def test_every_module_has_its_room() -> None:
    """The drawing names every module of the package and none that is not there."""
    modules = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*")
        if path.suffix in {".py", ".pyi", ".c"}
        and (path.name != "__init__.py" or path.parent == PACKAGE)
    }
    assert read_tree() == modules


def test_layers_are_the_contract() -> None:
    """The drawing's storeys are those that the import contract holds, in their order."""
    contract = next(
        contract
        for contract in read_configuration()["importlinter"]["contracts"]
        if contract["id"] == "layers"
    )
    storeys = [re.findall(r"\w+", layer) for layer in contract["layers"]]
    drawn = [re.findall(r"\w+", line) for line in read_block("__main__")]
    assert drawn == storeys


def test_rooms_of_opentelemetry_are_the_same_everywhere() -> None:
    """The linter's ban is lifted in the rooms that the import contract leaves out."""
    tools = read_configuration()
    contract = next(
        contract
        for contract in tools["importlinter"]["contracts"]
        if contract["id"] == "opentelemetry"
    )
    allowed = {re.findall(r"nogi_otel\.(\w+)", rule)[0] for rule in contract["ignore_imports"]}
    lifted = set()
    for pattern, rules in tools["ruff"]["lint"]["per-file-ignores"].items():
        if pattern.startswith("src/") and "TID251" in rules:
            lifted |= set(re.findall(r"\w+(?=[,}])", pattern))
    assert lifted == allowed
