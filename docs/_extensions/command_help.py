"""The command reference, asked of the commands: ``{command-help} listen`` shows its ``--help``."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:
    from sphinx.application import Sphinx
    from sphinx.util.typing import ExtensionMetadata

PROGRAM = (
    "import sys; from nogi_otel.cli.main import run; sys.argv[0] = 'nogi-otel'; sys.exit(run())"
)


class CommandHelp(SphinxDirective):
    """``{command-help} [VERB]``: what ``nogi-otel VERB --help`` prints."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the output as a literal block."""
        finished = subprocess.run(
            [sys.executable, "-c", PROGRAM, *self.arguments, "--help"],
            check=False,
            capture_output=True,
            text=True,
            env=os.environ | {"COLUMNS": "90", "NO_COLOR": "1"},
        )
        if finished.returncode:
            raise self.error(finished.stderr)
        return [nodes.literal_block(finished.stdout, finished.stdout, language="none")]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True}
