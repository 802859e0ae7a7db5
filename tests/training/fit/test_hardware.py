"""One device, two of them, and two hosts on this machine: the same training."""

import contextlib
import json
import os
import random
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.support.paths import ROOT
from training.errors import InvalidOptions
from training.fit.hardware import Accelerator
from training.fit.options import Hardware

TUNE_ON = ROOT / "tests/training/fit/tune_on.py"


def tune_on(devices: str, cpus: int, out: Path, **variables: str) -> subprocess.Popen[bytes]:
    """Start the program; its output is kept beside its weights."""
    out.mkdir()
    with (out / "log.txt").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, TUNE_ON, devices, str(cpus), out],
            stdout=log,
            stderr=log,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **variables},
        )


def free_ports(count: int) -> list[int]:
    """Free now, and below those that the system gives away by itself."""
    found: list[int] = []
    for port in random.sample(range(20_000, 30_000), 200):
        with contextlib.suppress(OSError), socket.socket() as one:
            one.bind(("127.0.0.1", port))
            found.append(port)
        if len(found) == count:
            break
    return found


def weights_of(process: subprocess.Popen[bytes], out: Path) -> dict[str, np.ndarray]:
    try:
        assert process.wait(timeout=120) == 0, (out / "log.txt").read_text()
    finally:
        process.kill()
    with np.load(out / "weights.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one device learns."""
    out = tmp_path_factory.mktemp("alone") / "out"
    return weights_of(tune_on("one", 1, out), out)


def assert_same_training(found: dict[str, np.ndarray], alone: dict[str, np.ndarray]) -> None:
    """Sums are taken in another order, and AdamW's first steps make much of small slopes."""
    np.testing.assert_allclose(found["loss"], alone["loss"], rtol=1e-4)
    for name in set(alone) - {"replicas", "off", "loss"}:
        np.testing.assert_allclose(found[name], alone[name], atol=2e-4, err_msg=name)


def test_a_cpu_has_no_mixed_precision_and_says_so(alone):
    assert alone["off"] == "mixed_float16 is off: there is no GPU"
    assert alone["loss"][1] < alone["loss"][0]


def test_the_same_seed_gives_the_same_weights(alone, tmp_path):
    again = weights_of(tune_on("one", 1, tmp_path / "out"), tmp_path / "out")

    assert_same_training(again, alone)


def test_two_devices_learn_what_one_does(alone, tmp_path):
    found = weights_of(tune_on("all", 2, tmp_path / "out"), tmp_path / "out")

    assert found["replicas"] == 2
    assert_same_training(found, alone)


def test_two_hosts_learn_what_one_does(alone, tmp_path):
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    outs = [tmp_path / "host0", tmp_path / "host1"]
    processes = [
        tune_on(
            "hosts",
            1,
            out,
            TF_CONFIG=json.dumps(
                {"cluster": {"worker": workers}, "task": {"type": "worker", "index": number}}
            ),
        )
        for number, out in enumerate(outs)
    ]
    try:
        for process, out in zip(processes, outs, strict=True):
            found = weights_of(process, out)
            assert found["replicas"] == 2
            assert_same_training(found, alone)
    finally:
        for process in processes:
            process.kill()


def test_hosts_that_nobody_names_are_an_error(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)

    with pytest.raises(InvalidOptions, match="TF_CONFIG names no hosts"):
        Accelerator.start(Hardware("hosts"))


def test_one_device_shares_nothing_and_says_so():
    lines = []

    accelerator = Accelerator.start(Hardware("all", "mixed_bfloat16"), say=lines.append)

    assert accelerator.replicas == 1
    assert lines[0] == "mixed_bfloat16 is off: there is no GPU"
    assert "the only device" in lines[1]


def test_a_batch_is_shared_equally_or_refused():
    class Two(Accelerator):
        replicas = 2

    accelerator = Two(Accelerator.start(Hardware()).strategy)

    assert accelerator.batch(8, 100) == 8
    assert accelerator.batch(8, 7) == 6
    with pytest.raises(InvalidOptions, match="a multiple of 2"):
        accelerator.batch(7, 100)
    with pytest.raises(InvalidOptions, match="at most 1"):
        accelerator.batch(8, 1)


@pytest.mark.parametrize("values", [("two", "float32"), ("one", "float8")])
def test_settings_that_are_unknown_are_refused(values):
    with pytest.raises(InvalidOptions, match="must be one of"):
        Hardware(*values)
