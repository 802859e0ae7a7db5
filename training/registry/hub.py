"""Publishes a model with its card at the Hugging Face Hub.

The Hub is for people who want to try a model; which version a service uses is decided in MLflow's registry.
huggingface_hub reads its own variables: HF_TOKEN, HF_ENDPOINT, and HF_OIDC_RESOURCE for a workflow that is a
trusted publisher.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.errors import os_reason
from services.inference import Classifier
from services.names import UNREADABLE, plain_address
from services.reading import read_text
from training.errors import (
    InvalidCard,
    InvalidOptions,
    NotPublished,
    RegistryDenied,
    RegistryRefused,
    RegistryUnavailable,
)
from training.files import parse_yaml, sha256_of
from training.registry.versions import MODEL_FILE, one_line

if TYPE_CHECKING:
    from huggingface_hub import HfApi

CARD = "MODEL_CARD.md"  # beside a model file
PUBLISHED_CARD = "README.md"  # the name by which the Hub shows it
HUB = "https://huggingface.co"
# A picture of the card in a file, not at an address; nothing else that a card names is uploaded.
PICTURE = re.compile(r"(!\[[^\]]*\]\()([^)\s:]+\.(?:png|jpe?g|gif|webp|svg))(\))")
FRONT_MATTER = re.compile(r"\A---\n(.*?)^---\n", re.DOTALL | re.MULTILINE)

# Otherwise huggingface_hub reports usage, and retries for ten minutes while it cannot reach the servers for
# large files.
QUIET: Mapping[str, str] = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_XET_TELEMETRY_ENABLED": "0",
    "HF_XET_CLIENT_RETRY_MAX_ATTEMPTS": "3",
}


@dataclass(frozen=True)
class Published:
    """What is at the Hub now.

    Attributes:
        address: of the repository's page.
        tag: of this version of the model, such as v2026.11.29.
        commit: 40 hexadecimal digits.
        files: names in the repository.
        changed: whether there is a new commit; False if everything was there already.
    """

    address: str
    tag: str
    commit: str
    files: tuple[str, ...]
    changed: bool


def publish(repository: str, model: Path, card: Path, *, private: bool = False) -> Published:
    """Upload a model, its card and the pictures of the card, as one commit with a tag.

    A version is published once: its card may be improved afterwards, but not its model. An interrupted call
    leaves the repository as it was, except that it may lack the tag; the next one sets it.

    Args:
        repository: OWNER/NAME; made if it does not exist.
        model: ONNX file of gif-train export.
        card: Markdown with front matter.
        private: whether a new repository is private.

    Raises:
        ModelError: gif-analyzer cannot use the model.
        InvalidCard: the card cannot be read, or is about another version of the model.
        InvalidOptions: `repository` is not a name that the Hub allows, or there is no token.
        NotPublished: this version is at the Hub already, with another model.
        RegistryError: the Hub cannot be reached, or refuses.
    """
    version = Classifier(model).model.version
    files = _files(model, card, version)
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    from huggingface_hub import CommitOperationAdd, HfApi, get_token  # noqa: PLC0415 - after its variables
    from huggingface_hub.utils.tqdm import disable_progress_bars  # noqa: PLC0415

    disable_progress_bars()
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # that nothing changed is said below
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or HUB
    tag = f"v{version}"
    with _errors(plain_address(endpoint) or UNREADABLE, repository):
        token = get_token()
        if token is None:
            raise InvalidOptions("HF_TOKEN", expected="a token that may write to the Hub", found="not set")
        api = HfApi(endpoint, token=token)
        address = str(api.create_repo(repository, private=private, exist_ok=True))
        _refuse_another_model(api, repository, tag, sha256_of(model))
        before = api.model_info(repository).sha
        commit = api.create_commit(
            repository,
            [CommitOperationAdd(name, content) for name, content in files.items()],
            commit_message=f"Model {version}",
        ).oid
        api.create_tag(repository, tag=tag, revision=commit, exist_ok=True)
    return Published(address, tag, commit, tuple(files), commit != before)


def read_card(path: Path) -> tuple[dict[str, Any], str]:
    """Return the front matter of a card, empty if it has none, and the text below.

    Raises:
        InvalidCard: it cannot be read, or its front matter is not a YAML mapping.
    """
    try:
        text = read_text(path)
        found = FRONT_MATTER.match(text)
        values = parse_yaml(found[1]) if found else {}
    except (OSError, ValueError) as error:
        why = os_reason(error) if isinstance(error, OSError) else one_line(str(error))
        raise InvalidCard(str(path), f"it cannot be read: {why}") from error
    if not isinstance(values, dict):
        raise InvalidCard(str(path), "its front matter is not a YAML mapping")
    return values, text[found.end() :] if found else text


def _files(model: Path, card: Path, version: str) -> dict[str, str | bytes]:
    """Return what is uploaded, a path or bytes for each name in the repository."""
    front, _ = read_card(card)
    if str(front.get("version")) != version:
        why = f"it is about version {front.get('version')}, the model is {version}: see gif-train card"
        raise InvalidCard(str(card), why)
    pictures: dict[str, str | bytes] = {}

    def beside(found: re.Match[str]) -> str:
        picture = card.parent / found[2]
        if not picture.is_file():
            raise InvalidCard(str(card), f"there is no picture {found[2]}")
        if pictures.setdefault(picture.name, str(picture)) != str(picture):
            raise InvalidCard(str(card), f"two pictures have the name {picture.name}")
        return found[1] + picture.name + found[3]

    text = PICTURE.sub(beside, read_text(card))
    return {PUBLISHED_CARD: text.encode(), MODEL_FILE: str(model), **pictures}


def _refuse_another_model(api: HfApi, repository: str, tag: str, sha256: str) -> None:
    """Refuse to publish if this tag exists and its model is another one."""
    if tag not in {each.name for each in api.list_repo_refs(repository).tags}:
        return
    there = api.get_paths_info(repository, [MODEL_FILE], revision=tag)
    if [getattr(getattr(each, "lfs", None), "sha256", None) for each in there] != [sha256]:
        why = f"{tag} is there already, with another model: export yours with another --model-version"
        raise NotPublished(repository, why)


@contextmanager
def _errors(address: str, repository: str) -> Iterator[None]:
    """Turn errors of huggingface_hub into errors of training.errors, without secrets."""
    import httpx2  # noqa: PLC0415 - comes with huggingface_hub
    from huggingface_hub import errors  # noqa: PLC0415

    try:
        yield
    except errors.HFValidationError:
        raise InvalidOptions("repository", expected="OWNER/NAME", found=repository) from None
    except errors.HfHubHTTPError as error:
        status, said = error.response.status_code, one_line(error.server_message or str(error))
        refusals: Mapping[int, Exception] = {
            401: RegistryDenied(address, "does not know this token: see HF_TOKEN"),
            403: RegistryDenied(address, f"does not allow this token to change {repository}"),
            404: RegistryRefused(address, f"there is no {repository}, or this token may not see it"),
        }
        if status >= 500 or status in (408, 429):
            raise RegistryUnavailable(address, f"failed: {said}") from None
        raise refusals.get(status, RegistryRefused(address, said)) from None
    except ValueError as error:  # how create_commit says that the front matter is invalid
        raise RegistryRefused(address, one_line(str(error))) from None
    except errors.OIDCError as error:
        raise RegistryDenied(address, f"gives no token: {one_line(str(error))}") from None
    except httpx2.TimeoutException:
        raise RegistryUnavailable(address, "gave no answer in time") from None
    except httpx2.TransportError:
        raise RegistryUnavailable(address, "cannot be reached") from None
    except errors.OfflineModeIsEnabled:
        raise RegistryUnavailable(address, "is not asked, because HF_HUB_OFFLINE is set") from None
    except ConnectionError as error:  # of hf_xet
        why = f"cannot store large files: {one_line(str(error))}; HF_HUB_DISABLE_XET=1 sends them another way"
        raise RegistryUnavailable(address, why) from None
