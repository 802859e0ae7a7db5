"""tests/corpus/chromium.csv has what the Chromium of this machine shows."""

from __future__ import annotations

import pytest

from tests.support.page.browser import CHROMIUM
from tests.support.page.frames import MEDIA_TYPES, decoding_page, show
from tests.support.paths import CORPUS, corpus_files, read_table


@pytest.mark.skipif(CHROMIUM is None, reason="This test needs chromium or google-chrome.")
def test_the_table_is_what_chromium_shows() -> None:
    told = {row["path"]: row for row in read_table(CORPUS / "chromium.csv")}
    paths = {path.relative_to(CORPUS).as_posix(): path for path in corpus_files()}
    assert told.keys() == paths.keys()

    with decoding_page() as page:
        shown = {
            name: show(page, path.read_bytes(), MEDIA_TYPES[path.suffix]).row(name)
            for name, path in paths.items()
        }

    different = [
        name for name, row in shown.items() if {key: str(value) for key, value in row.items()} != told[name]
    ]
    assert not different
