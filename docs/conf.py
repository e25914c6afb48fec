"""Sphinx: MyST pages, the furo theme, and two references that are read from the code."""

from __future__ import annotations

import sys
from pathlib import Path

from nogi_otel.version import __version__

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "nogi-otel"
author = "the nogi-otel authors"
version = release = __version__
html_title = f"nogi-otel {__version__}"
html_theme = "furo"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "command_help",
    "environment_reference",
    "event_reference",
]
exclude_patterns = ["_build"]
myst_heading_anchors = 3
myst_links_external_new_tab = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
smartquotes = False
html_copy_source = False
html_show_sourcelink = False
