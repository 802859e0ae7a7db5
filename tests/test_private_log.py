"""No line of the suite's log says which GIF somebody looks at: else a fixture fails the test."""

from __future__ import annotations

import logging

from tests.support.private_log import PrivateLog


def test_every_line_of_a_test_is_read(private_log: PrivateLog) -> None:
    address = "https://example.org/secret.gif"
    log = logging.getLogger("gateway.rest.anything")

    log.info("fetched", extra={"from": address})
    log.info("fetched %s", address)
    log.info("GET /v1/identify?url=x")
    for line in ("fetched media.giphy.com, 1000 bytes", "serving http://127.0.0.1:8080", "did you mean url?"):
        log.info(line)
    log.debug("fetched %s", address)  # no server writes these
    logging.getLogger("gateway.batch.worker").error("cannot answer", extra={"source": address})
    try:
        raise ValueError(address)
    except ValueError:
        log.exception("failed")

    found = private_log.take()
    assert len(found) == 4
    assert all("gateway.rest.anything logged" in line for line in found)
    assert ["example.org/s" in line for line in found] == [True, True, False, True]
