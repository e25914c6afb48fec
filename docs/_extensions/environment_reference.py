"""The environment reference, read from the code: one entry a constant, its docstring the text.

``{environment-variables}`` with the path of the module lists every ``OTEL_PYTHON_NOGI_*``
constant in the order of the file. The module is parsed, never imported.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from inspect import cleandoc
from pathlib import Path
from typing import TYPE_CHECKING

from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

PREFIX = "OTEL_PYTHON_NOGI_"


@dataclass(frozen=True)
class Variable:
    """One environment variable and what its docstring says."""

    name: str
    text: str

    @property
    def flag(self) -> str:
        """The flag that ``opentelemetry-instrument`` makes of it."""
        return "--" + self.name.removeprefix("OTEL_PYTHON_").lower()


def read_variables(source: str) -> list[Variable]:
    """Return the variables of a module's source, in its order.

    ValueError names the constant whose value is not its name, or that has no docstring.
    """
    variables = []
    body = ast.parse(source).body
    for statement, following in zip(body, [*body[1:], None], strict=True):
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=value)
            ) if name.startswith(PREFIX):
                pass
            case _:
                continue
        if not isinstance(value, ast.Constant) or value.value != name:
            message = f"{name}: its value must be its name"
            raise ValueError(message)
        match following:
            case ast.Expr(value=ast.Constant(value=str(text))):
                variables.append(Variable(name, cleandoc(text)))
            case _:
                message = f"{name}: it has no docstring"
                raise ValueError(message)
    return variables


class EnvironmentVariables(SphinxDirective):
    """``{environment-variables} PATH``: every variable of the module, with its flag."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Return the nodes of all entries."""
        relative, absolute = self.env.relfn2path(self.arguments[0])
        self.env.note_dependency(relative)
        try:
            variables = read_variables(Path(absolute).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise self.error(str(error)) from error
        entries = [
            f"``````{{envvar}} {variable.name}\n"
            f"{variable.text}\n\nFlag of `opentelemetry-instrument`: `{variable.flag}`\n``````\n"
            for variable in variables
        ]
        return self.parse_text_to_nodes("\n".join(entries))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("environment-variables", EnvironmentVariables)
    return {"parallel_read_safe": True}
