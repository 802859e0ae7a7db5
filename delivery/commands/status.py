"""`gif-deliver status`: **a function** -> **its versions, and which of them users get**."""

from __future__ import annotations

from delivery.commands.terminal import AliasName, FunctionName
from services.terminal import Json, report


def status(function: FunctionName, *, alias: AliasName = "live", as_json: Json = False) -> None:
    """Say which version users get, which they got before, and what else is published.

    **Example**

        gif-deliver status gif-analyzer-prod

    **Exit codes**: 0 done, 2 when there is no such function or AWS refused.
    """
    from delivery.function import Function  # noqa: PLC0415 - half a second, and --help must not wait

    target = Function(function, alias=alias)
    stands, versions = target.alias(), target.versions()
    roles = {stands.version: "live", **{version: f"{part:.0%}" for version, part in stands.weights.items()}}
    if stands.before:
        roles.setdefault(stands.before, "before")
    lines = [
        f"{version['version']:>5}  {roles.get(version['version'], ''):<6}  {version['published'][:19]}  "
        f"{version['size_bytes'] / 2**20:5.1f} MiB  {version['memory_mb']:>5} MB  {version['sha256'][:12]}"
        for version in versions
    ]
    report(
        as_json,
        {
            "function": function,
            "alias": alias,
            "version": stands.version,
            "before": stands.before,
            "weights": dict(stands.weights),
            "versions": versions,
        },
        "\n".join([f"{target.label} is version {stands.version}", *lines]),
    )
