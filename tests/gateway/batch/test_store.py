"""A store that speaks S3, on this machine, through Daft's own reader."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer

pytest.importorskip("daft", reason="This test needs Daft, which is not installed: make setup.")
from tests.support.batch import RunBatch, SaveGif, read_rows

KEYS = {
    "AWS_ACCESS_KEY_ID": "of-the-test",
    "AWS_SECRET_ACCESS_KEY": "of-the-test",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@pytest.fixture
def endpoint(save_gif: SaveGif) -> Iterator[str]:
    """A store with a bucket of two GIFs and a text."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="of-the-test",
        aws_secret_access_key="of-the-test",
    )
    client.create_bucket(Bucket="bucket")
    for key, colour in (("gifs/red.gif", "red"), ("gifs/more/blue.gif", "blue")):
        client.put_object(Bucket="bucket", Key=key, Body=save_gif("stored.gif", colour).read_bytes())
    client.put_object(Bucket="bucket", Key="gifs/notes.txt", Body=b"not asked about")
    yield url
    server.stop()


def test_a_prefix_is_answered_whole(run_batch: RunBatch, endpoint: str, tmp_path: Path) -> None:
    done = run_batch("s3://bucket/gifs/", "--out", "labels.parquet", "--s3-endpoint", endpoint, **KEYS)

    assert done.returncode == 0, done.stderr
    rows = read_rows(tmp_path / "labels.parquet")
    assert {source: row["show"] for source, row in rows.items()} == {
        "s3://bucket/gifs/red.gif": "Red Show",
        "s3://bucket/gifs/more/blue.gif": "Blue Show",
    }


def test_manifest_of_objects(run_batch: RunBatch, endpoint: str, tmp_path: Path) -> None:
    names = ["s3://bucket/gifs/red.gif", "s3://bucket/none.gif", "s3://no-such-bucket/a.gif"]
    pq.write_table(pa.table({"url": names}), tmp_path / "list.parquet")

    done = run_batch("list.parquet", "--out", "labels.parquet", "--s3-endpoint", endpoint, **KEYS)

    assert done.returncode == 1, done.stderr
    rows = read_rows(tmp_path / "labels.parquet")
    assert [rows[name]["error_reason"] for name in names] == [None, "UNREADABLE_FILE", "FETCH_FAILED"]


def test_object_beyond_the_limit_is_not_downloaded(
    run_batch: RunBatch, endpoint: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A manifest does not have the length of its objects, so the store is asked for it."""
    pq.write_table(pa.table({"url": ["s3://bucket/gifs/red.gif"]}), tmp_path / "list.parquet")

    with caplog.at_level(logging.INFO, "werkzeug"):
        done = run_batch(
            "list.parquet", "--out", "labels.parquet", "--s3-endpoint", endpoint,
            **KEYS, GIF_ANALYZER_MAX_BYTES="50",
        )  # fmt: skip

    assert done.returncode == 1, done.stderr
    [row] = read_rows(tmp_path / "labels.parquet").values()
    assert row["error_reason"] == "GIF_TOO_LARGE"
    requests = [record.getMessage() for record in caplog.records if "red.gif" in record.getMessage()]
    assert any("HEAD" in line for line in requests)
    assert not any("GET" in line for line in requests)


def test_a_prefix_of_nothing(run_batch: RunBatch, endpoint: str) -> None:
    done = run_batch("s3://bucket/none/", "--out", "labels.parquet", "--s3-endpoint", endpoint, **KEYS)

    assert done.returncode == 2
    assert "there is nothing by this name" in done.stderr
    assert "Traceback" not in done.stderr
