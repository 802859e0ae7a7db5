"""What several commands are given: **which model, which services** -> **settings and a pipeline**."""

from __future__ import annotations

import dataclasses
import os.path
from pathlib import Path
from typing import Annotated

import typer

from gateway.fetch.address import Address, is_address
from gateway.fetch.settings import ANY_HOST, DEFAULT_HOSTS, FetchSettings, HostRule
from gateway.pipeline import Pipeline, local
from gateway.settings import Settings
from services.errors import InvalidAddress
from services.preprocess.backend import MANY, FastestSoFar, fastest, portable

Model = Annotated[Path | None, typer.Option(metavar="PATH", help="Model file, instead of the packaged one.")]
Preprocess = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Let this service decode, over gRPC.")
]
Inference = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Let this service classify, over gRPC.")
]
EarlyExit = Annotated[
    bool | None,
    typer.Option(
        "--early-exit/--exact",
        help="Stop when the first frames decide, or look at all; else as GIF_ANALYZER_EARLY_EXIT says.",
    ),
]
AllowHost = Annotated[
    list[str] | None,
    typer.Option(
        metavar="HOST[:PORT]",
        help="Ask this host too, at another port or beside those of GIF_ANALYZER_FETCH_HOSTS.",
    ),
]
TopK = Annotated[int, typer.Option(min=1, metavar="K", help="How many shows to name.")]


def check_services(
    preprocess: str | None, inference: str | None, model: Path | None, *, early_exit: bool | None = None
) -> None:
    """Refuse one service without the other, and what a service has set itself.

    Raises:
        typer.BadParameter: names the options.
    """
    if (preprocess is None) != (inference is None):
        raise typer.BadParameter("give both services or none", param_hint="--preprocess, --inference")
    if model is not None and inference is not None:
        raise typer.BadParameter("the service has its own model", param_hint="--model")
    if early_exit and inference is not None:
        raise typer.BadParameter("the service is set to do so, or not", param_hint="--early-exit")


def read_settings(model: Path | None, *, early_exit: bool | None = None) -> Settings:
    """Read the environment; what is given overrules it.

    Raises:
        InvalidSetting: names the variable and what it must be.
    """
    settings = Settings.from_env()
    return dataclasses.replace(
        settings,
        model=settings.model if model is None else model,
        early_exit=settings.early_exit if early_exit is None else early_exit,
    )


def open_pipeline(
    settings: Settings, preprocess: str | None, inference: str | None, *, gifs: int | None = None
) -> Pipeline:
    """Make the pipeline whose steps are computed by these services, or in this process.

    Args:
        settings: of both ways.
        preprocess: address of the one service, or None.
        inference: address of the other, or None.
        gifs: how many will be identified; few are not worth loading compiled loops for. None is a server,
            which does not wait for them.

    Raises:
        ModelError: the file is not a model that takes a clip and names shows, or cannot stop early.
        UnreadableFile: one of the files of TLS.
        ModuleNotFoundError: services are named and grpc is not installed.
    """
    if preprocess is not None and inference is not None:
        from gateway.remote import remote  # noqa: PLC0415 - grpc is an extra

        return remote(preprocess, inference, channel=settings.channel, budget=settings.budget)
    backend = FastestSoFar() if gifs is None else portable if gifs < MANY else fastest
    return local(
        settings.model,
        threads=settings.threads,
        early_exit=settings.early_exit,
        budget=settings.budget,
        backend=backend,
    )


def allow_hosts(fetch: FetchSettings, allowed: list[str] | None) -> FetchSettings:
    """Let a person ask any host of the public internet, unless the environment names those that may be asked.

    A server keeps to a list because others give it addresses; here whoever gives one runs the program.

    Raises:
        typer.BadParameter: one of those allowed is no name of a host.
    """
    try:
        rules = tuple(HostRule.parse(text) for text in allowed or ())
    except ValueError as error:
        raise typer.BadParameter(
            "give the name of a host, with or without :PORT", param_hint="--allow-host"
        ) from error
    hosts = ANY_HOST if fetch.hosts is DEFAULT_HOSTS else fetch.hosts  # nothing was set
    allowed_by = f"--allow-host, or {fetch.allowed_by},"
    return dataclasses.replace(fetch, hosts=(*hosts, *rules), allowed_by=allowed_by)


def is_meant_as_address(source: str) -> bool:
    """Whether a source is to be fetched: one with a scheme, or one at Giphy or Tenor that is no file here."""
    if is_address(source):
        return True
    try:
        address = Address.parse(source)
    except InvalidAddress:
        return False
    return any(rule.allows(address) for rule in DEFAULT_HOSTS) and not os.path.lexists(source)
