"""gif-train publish beside a server that speaks the Hub's API: one commit, a tag, and nothing twice."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import hf_xet
import huggingface_hub
import pytest

from tests.support.hub_server import READ_TOKEN, TOKEN, Hub, hub_server
from tests.support.models import save_candidate
from tests.support.programs import Done, call, run

PICTURE = b"\x89PNG a picture of a test"
CARD = """---
version: 7
---
# Mine

![recall](plots/shows.png)
![from elsewhere](https://example.org/badge.svg)
![no picture](plots/secrets.txt)
"""


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    with hub_server(tmp_path / "xet") as running:
        yield running


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model with a card beside it, which shows a picture."""
    (tmp_path / "mine" / "plots").mkdir(parents=True)
    (tmp_path / "mine" / "plots" / "shows.png").write_bytes(PICTURE)
    (tmp_path / "mine" / "MODEL_CARD.md").write_text(CARD)
    return save_candidate(tmp_path / "mine" / "model.onnx", version="7")


def publish(hub: Hub, *words: str | Path, token: str = TOKEN, start: Callable[..., Done] = call) -> Done:
    variables = {"HF_ENDPOINT": hub.address, "HF_TOKEN": token, "HF_HOME": str(hub.xet / "home")}
    done = start("gif-train", "publish", *words, **variables)
    assert "Traceback" not in done.stderr
    assert not token or token not in done.stdout + done.stderr
    return done


def assert_one_line(done: Done, message: str) -> None:
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1
    assert message in done.stderr


def downloaded(hub: Hub, original: Path, folder: Path) -> bytes:
    """The bytes that Xet gives for the content of this file."""
    [info] = hf_xet.hash_files([str(original)])
    target = folder / "downloaded"
    session = hf_xet.XetSession()
    with session.new_file_download_group(endpoint=f"local://{hub.xet}") as group:
        group.start_download_file(hf_xet.XetFileInfo(info.hash, info.file_size), str(target))
    return target.read_bytes()


def test_a_model_is_published_with_its_card_and_pictures(hub, model, tmp_path):
    done = publish(hub, "me/shows", model, "--private", "--json", start=run)

    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["address"], said["tag"], said["changed"]) == (f"{hub.address}/me/shows", "v7", True)
    repository = hub.repositories["me/shows"]
    assert (repository.visibility, repository.messages) == ("private", ["initial commit", "Model 7"])
    files = repository.at("v7")
    assert sorted(files) == sorted(said["files"]) == ["README.md", "model.onnx", "shows.png"]
    assert files["README.md"]["content"].decode() == CARD.replace("plots/shows.png", "shows.png")
    assert files["shows.png"]["content"] == PICTURE
    assert files["model.onnx"]["sha256"] == hashlib.sha256(model.read_bytes()).hexdigest()
    assert downloaded(hub, model, tmp_path) == model.read_bytes()


def test_publishing_again_changes_nothing_but_sets_a_missing_tag(hub, model):
    publish(hub, "me/shows", model)
    hub.repositories["me/shows"].tags.clear()  # as if the first call had been interrupted

    done = publish(hub, "me/shows", model)

    assert done.stdout == f"{hub.address}/me/shows: v7 is there already: no change\n"
    assert hub.repositories["me/shows"].messages == ["initial commit", "Model 7"]
    assert hub.repositories["me/shows"].tags == {"v7": 1}


def test_a_published_version_keeps_its_model_while_its_card_may_change(hub, model):
    publish(hub, "me/shows", model)
    card = model.with_name("MODEL_CARD.md")
    card.write_text(CARD + "\nBeware of cartoons.\n")

    improved = publish(hub, "me/shows", model)
    save_candidate(model, version="7", shows=("One", "Two", "Three"))
    other = publish(hub, "me/shows", model)

    assert improved.returncode == 0, improved.stderr
    repository = hub.repositories["me/shows"]
    assert b"cartoons" in repository.at("main")["README.md"]["content"]
    assert repository.tags == {"v7": 1}
    assert other.returncode == 1
    assert "me/shows stays as it is: v7 is there already, with another model" in other.stderr
    assert len(repository.commits) == 3


def test_the_packaged_model_is_published_with_a_card_that_the_hub_reads(hub):
    done = publish(hub, "me/gif-shows")

    assert done.returncode == 0, done.stderr
    files = hub.repositories["me/gif-shows"].at("main")
    assert "confusion.png" in files
    card = huggingface_hub.ModelCard(files["README.md"]["content"].decode())
    assert "](../" not in card.text
    assert (card.data.license, card.data.pipeline_tag) == ("apache-2.0", "video-classification")
    results = {each.metric_name: each.metric_value for each in card.data.eval_results}
    assert list(results) == ["top-1 accuracy", "top-3 accuracy", "macro-F1", "mean recall of the shows"]
    assert 0.5 < results["top-1 accuracy"] < results["top-3 accuracy"] < 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda card: card.unlink(), "MODEL_CARD.md: it cannot be read: no such file"),
        (lambda card: card.write_bytes(b"\xff\xfe"), "MODEL_CARD.md: it cannot be read: it is not UTF-8"),
        (lambda card: card.write_text("---\n[\n---\n"), "MODEL_CARD.md: it cannot be read: while parsing"),
        (lambda card: card.write_text("---\nwords\n---\n"), "its front matter is not a YAML mapping"),
        (lambda card: card.write_text("# Mine\n"), "it is about version None, the model is 7"),
        (lambda card: card.write_text(CARD.replace("7", "8")), "it is about version 8, the model is 7"),
        (lambda card: (card.parent / "plots/shows.png").unlink(), "there is no picture plots/shows.png"),
        (
            lambda card: card.write_text(f"{CARD}![](../mine/plots/shows.png)"),
            "two pictures have the name shows.png",
        ),
    ],
)
def test_a_card_that_cannot_be_published_is_refused_before_anything_is_sent(hub, model, change, message):
    change(model.with_name("MODEL_CARD.md"))

    done = publish(hub, "me/shows", model)

    assert done.returncode == 1
    assert message in done.stderr
    assert hub.requests == []


@pytest.mark.parametrize(
    ("token", "code", "message"),
    [
        ("", 2, "HF_TOKEN must be a token that may write to the Hub, this is not set"),
        ("hf_wrong", 1, "does not know this token: see HF_TOKEN"),
        (READ_TOKEN, 1, "does not allow this token to change me/shows"),
    ],
)
def test_a_token_that_may_not_publish_is_refused(hub, model, token, code, message):
    done = publish(hub, "me/shows", model, token=token)

    assert done.returncode == code
    assert_one_line(done, message)
    assert hub.repositories == {}


@pytest.mark.parametrize(
    ("word", "status", "message"),
    [
        ("refs", 404, "there is no me/shows, or this token may not see it"),
        ("commit", 500, "failed: failing as told, with ***"),
        ("commit", 413, "refused: failing as told, with ***"),
    ],
)
def test_a_failure_of_the_hub_is_said_and_leaves_no_commit(hub, model, word, status, message):
    hub.failing = {word: status}

    done = publish(hub, "me/shows", model)

    assert done.returncode == 1
    assert_one_line(done, message)
    assert len(hub.repositories["me/shows"].commits) == 1


def test_a_name_that_the_hub_does_not_allow_is_a_usage_error(hub, model):
    done = publish(hub, "me//shows", model)

    assert done.returncode == 2
    assert_one_line(done, "repository must be OWNER/NAME, this is me//shows")


def test_metadata_that_the_hub_rejects_is_said(hub, model):
    model.with_name("MODEL_CARD.md").write_text(
        CARD.replace("version: 7", "version: 7\nlicense: none at all")
    )

    done = publish(hub, "me/shows", model)

    assert done.returncode == 1
    assert_one_line(done, '"license" must be one of a list, not none at all')


def test_no_server_is_an_error_and_no_address_shows_its_password(model):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    nobody = Hub(model.parent, address=f"http://user:a-secret@127.0.0.1:{port}")

    done = publish(nobody, "me/shows", model)

    assert done.returncode == 1
    assert done.stderr == f"error: the registry at http://127.0.0.1:{port} cannot be reached\n"
