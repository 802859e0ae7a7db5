"""Options that several commands share, and the settings and the pipeline that they lead to."""

from __future__ import annotations

import dataclasses
import os.path
from pathlib import Path
from typing import Annotated

import typer

from gateway.fetch.address import ANY_HOST, DEFAULT_HOSTS, Address, FetchSettings, HostRule, is_address
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
Library = Annotated[
    Path | None,
    typer.Option(
        "--library",
        metavar="FILE",
        help="Search these known clips, and name their shows too; else those of GIF_ANALYZER_LIBRARY.",
    ),
]
TopK = Annotated[int, typer.Option(min=1, metavar="K", help="How many shows to name.")]


def check_services(
    preprocess: str | None,
    inference: str | None,
    model: Path | None,
    *,
    early_exit: bool | None = None,
    library: Path | None = None,
) -> None:
    """Raise typer.BadParameter for one service without the other, and for options that a service decides."""
    if (preprocess is None) != (inference is None):
        raise typer.BadParameter("give both services or none", param_hint="--preprocess, --inference")
    if model is not None and inference is not None:
        raise typer.BadParameter("the service has its own model", param_hint="--model")
    if early_exit and inference is not None:
        raise typer.BadParameter("the service is set to do so, or not", param_hint="--early-exit")
    if library is not None and inference is not None:
        raise typer.BadParameter("the service has its own library, or none", param_hint="--library")


def read_settings(
    model: Path | None,
    *,
    early_exit: bool | None = None,
    library: Path | None = None,
) -> Settings:
    """Read the environment, and override it by the options that are given; raises InvalidSetting."""
    settings = Settings.from_env()
    return dataclasses.replace(
        settings,
        model=settings.model if model is None else model,
        early_exit=settings.early_exit if early_exit is None else early_exit,
        library=settings.library if library is None else library,
    )


def open_pipeline(
    settings: Settings, preprocess: str | None, inference: str | None, *, gifs: int | None = None
) -> Pipeline:
    """Make the pipeline whose steps are computed by these services, or in this process.

    Args:
        settings: of the steps.
        preprocess: address of the service, or None.
        inference: address of the service, or None.
        gifs: how many will be identified; loading compiled loops does not pay for a few. None is a server,
            which does not wait for them.

    Raises:
        LibraryError: the library cannot be used with the model.
        ModelError: the file is not a model that takes a clip and names shows, or cannot stop early.
        UnreadableFile: one of the files of TLS.
        ModuleNotFoundError: services are named and grpc is not installed.
    """
    if preprocess is not None and inference is not None:
        from gateway.remote import remote  # noqa: PLC0415 - grpc is an extra

        serves = gifs is None  # and logs its answers
        return remote(
            preprocess, inference, channel=settings.channel, budget=settings.budget, logs_answers=serves
        )
    backend = FastestSoFar() if gifs is None else portable if gifs < MANY else fastest
    return local(
        settings.model,
        threads=settings.threads,
        early_exit=settings.early_exit,
        library=settings.library,
        budget=settings.budget,
        backend=backend,
        shadow=settings.open_shadow() if gifs is None else None,
    )


def allow_hosts(fetch: FetchSettings, allowed: list[str] | None) -> FetchSettings:
    """Allow any host of the public internet, unless the environment names the allowed hosts.

    A server keeps to a list because others give it addresses; here the user of the program gives them.

    Raises:
        typer.BadParameter: one of `allowed` is not the name of a host.
    """
    try:
        rules = tuple(HostRule.parse(text) for text in allowed or ())
    except ValueError as error:
        raise typer.BadParameter(
            "give the name of a host, with or without :PORT", param_hint="--allow-host"
        ) from error
    hosts = ANY_HOST if fetch.hosts is DEFAULT_HOSTS else fetch.hosts  # no setting
    allowed_by = f"--allow-host, or {fetch.allowed_by},"
    return dataclasses.replace(fetch, hosts=(*hosts, *rules), allowed_by=allowed_by)


def is_meant_as_address(source: str) -> bool:
    """Whether to fetch a source: it has a scheme, or it is at Giphy or Tenor and is no file here."""
    if is_address(source):
        return True
    try:
        address = Address.parse(source)
    except InvalidAddress:
        return False
    return any(rule.allows(address) for rule in DEFAULT_HOSTS) and not os.path.lexists(source)
