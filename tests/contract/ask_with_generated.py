"""Asks a gateway with a client that openapi-python-client made: `python ask_with_generated.py URL FILE`.

It runs in the environment of that generator, with the folder of the client on PYTHONPATH.
"""

from __future__ import annotations

import json
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

from gif_analyzer_client import AuthenticatedClient
from gif_analyzer_client.api.health import get_liveness, get_readiness
from gif_analyzer_client.api.identify import identify_address, identify_gif
from gif_analyzer_client.api.library import forget_gif, get_library, get_thumbnail, teach_gif
from gif_analyzer_client.api.model import get_model, list_shows
from gif_analyzer_client.models import (
    IdentifyGifFilesBody,
    IdentifyGifJsonBody,
    Problem,
    TeachGifFilesBody,
)
from gif_analyzer_client.types import File

url, path = sys.argv[1:]
gif = Path(path).read_bytes()


def file() -> File:
    return File(payload=BytesIO(gif), file_name="some.gif", mime_type="image/gif")


with AuthenticatedClient(base_url=url, token="key", raise_on_unexpected_status=True) as client:
    form: Any = identify_gif.sync(
        client=client, body=IdentifyGifFilesBody(file=file()), top_k=2, pictures=True
    )
    raw: Any = identify_gif.sync(client=client, body=file())
    sent: Any = identify_gif.sync(client=client, body=IdentifyGifJsonBody(url="https://giphy.com/some.gif"))
    named = identify_address.sync_detailed(client=client, url_query="https://giphy.com/some.gif")
    again = identify_address.sync_detailed(
        client=client, url_query="https://giphy.com/some.gif", if_none_match=named.headers["ETag"]
    )
    problem = identify_address.sync(client=client, url_query="https://giphy.com/none.gif")
    assert isinstance(problem, Problem)
    taught: Any = teach_gif.sync(client=client, body=TeachGifFilesBody(file=file()), show="Some Show")
    library: Any = get_library.sync(client=client)
    thumbnail: Any = get_thumbnail.sync(client=client, name="some.gif")
    forgotten: Any = forget_gif.sync(client=client, name="some.gif")
    model: Any = get_model.sync(client=client)
    shows: Any = list_shows.sync(client=client)
    health: list[Any] = [get_liveness.sync(client=client), get_readiness.sync(client=client)]

json.dump(
    {
        "verdicts": [each.verdict.level.value for each in (form, raw, sent, named.parsed)],
        "offset_ms": f"{form.votes[0].offset_ms:d}",
        "pictures": len(form.pictures),
        "not_modified": int(again.status_code),
        "problem": [problem.status, problem.reason, problem.message, problem.details.to_dict()],
        "taught": taught.to_dict(),
        "library": library.clip_count,
        "thumbnail": len(thumbnail.payload.read()),
        "forgotten": forgotten.to_dict(),
        "model": model.to_dict(),
        "shows": shows.shows,
        "health": [each.status for each in health],
    },
    sys.stdout,
)
