"""`make docs`: the documentation site builds without a warning, and loads nothing from other hosts."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.support.programs import output_of

PAGES = {"index.html", "architecture.html", "model-card.html", "contributing.html", "api/gif_analyzer.html"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    for package in ("mkdocs", "material", "mkdocstrings_handlers.python"):
        pytest.importorskip(package, reason=f"This test needs {package}, which `make docs` installs.")
    folder = tmp_path_factory.mktemp("site")
    output_of(sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder)
    return folder


@pytest.mark.tools
def test_every_page_is_built(site: Path) -> None:
    assert {path for path in PAGES if not (site / path).is_file()} == set()


@pytest.mark.tools
def test_no_page_loads_anything_from_another_host(site: Path) -> None:
    loads = re.compile(r"<(?:script|img|iframe|link)\b[^>]*?(?:src|href)=\"(?:https?:)?//[^\"]*", re.DOTALL)

    found = {tag for page in site.rglob("*.html") for tag in loads.findall(page.read_text("utf-8"))}

    assert {tag for tag in found if 'rel="canonical"' not in tag} == set()


@pytest.mark.tools
def test_the_public_interface_is_documented(site: Path) -> None:
    import gif_analyzer

    page = (site / "api/gif_analyzer.html").read_text("utf-8")

    names = set(gif_analyzer.__all__) - {"__version__"}
    assert {name for name in names if f'id="gif_analyzer.{name}"' not in page} == set()
