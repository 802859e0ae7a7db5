"""No line of the suite's log says which GIF somebody looks at: else a fixture fails the test."""

from __future__ import annotations

import logging

import pytest

from tests.support.private_log import PrivateLog, private_part


@pytest.mark.parametrize(
    "line",
    [
        "https://media.giphy.com/media/abc/giphy.gif",
        "cannot fetch http://example.org/?secret=1 now",
        "GET /v1/identify?url=x HTTP/1.1",
        "s3://bucket/key.gif",
        "https://example.org?key=1",
    ],
)
def test_paths_and_queries_are_seen(line: str) -> None:
    assert private_part(line)


@pytest.mark.parametrize(
    "line",
    [
        "fetched media.giphy.com, 1000 bytes",
        "serving http://127.0.0.1:8080",
        'File "/usr/lib/python3/x.py", line 3',
        "{'route': '/v1/identify', 'status': 200}",
        "did you mean url?",
    ],
)
def test_hosts_and_routes_may_be_logged(line: str) -> None:
    assert private_part(line) is None


def test_every_line_of_a_test_is_read(private_log: PrivateLog) -> None:
    address = "https://example.org/secret.gif"
    log = logging.getLogger("gateway.rest.anything")

    log.info("fetched", extra={"from": address})
    log.info("fetched %s", address)
    log.debug("fetched %s", address)  # no server writes these
    logging.getLogger("gateway.batch.worker").error("cannot answer", extra={"source": address})
    try:
        raise ValueError(address)
    except ValueError:
        log.exception("failed")

    found = private_log.take()
    assert len(found) == 3
    assert all("gateway.rest.anything logged" in line and "example.org/s" in line for line in found)
