import io
import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from training.network.checkpoint import InvalidCheckpoint, read_checkpoint

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class _Call:
    """Pickles as a call of any function."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def _write(path: Path, tensors: object, *, keys=(), storages=b"") -> Path:
    file = io.BytesIO()
    for part in (MAGIC, PROTOCOL, {"little_endian": True}, tensors, list(keys)):
        pickle.dump(part, file, protocol=2)
    path.write_bytes(file.getvalue() + storages)
    return path


def _with_tensor(path: Path, *, count: int, values: np.ndarray, shape: str, strides: str) -> Path:
    """A checkpoint of one tensor, its pickle written by hand as PyTorch's pickler writes it."""
    pickled = (
        b"\x80\x02ccollections\nOrderedDict\n)R(X\x01\x00\x00\x00w"
        b"ctorch._utils\n_rebuild_tensor_v2\n("
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00aX\x03\x00\x00\x00cpuK"
        + bytes([count])
        + b"NtQK\x00"
        + shape.encode("latin-1")
        + strides.encode("latin-1")
        + b"\x89ccollections\nOrderedDict\n)RtRu."
    )
    file = io.BytesIO()
    for part in (MAGIC, PROTOCOL, {}):
        pickle.dump(part, file, protocol=2)
    file.write(pickled)
    pickle.dump(["a"], file, protocol=2)
    file.write(values.size.to_bytes(8, "little") + values.astype("<f4").tobytes())
    path.write_bytes(file.getvalue())
    return path


def test_a_tensor_is_read_with_its_strides(tmp_path):
    values = np.arange(6, dtype=np.float32)
    # shape (2, 3), strides (1, 2): the transpose of three rows of two
    path = _with_tensor(
        tmp_path / "w.pth", count=6, values=values, shape="K\x02K\x03\x86", strides="K\x01K\x02\x86"
    )
    tensors = read_checkpoint(path)
    np.testing.assert_array_equal(tensors["w"], values.reshape(3, 2).T)


def test_a_tensor_that_reaches_beyond_its_values_is_refused(tmp_path):
    path = _with_tensor(
        tmp_path / "w.pth", count=4, values=np.zeros(4), shape="K\x02K\x03\x86", strides="K\x03K\x01\x86"
    )
    with pytest.raises(InvalidCheckpoint, match="broken checkpoint: strides"):
        read_checkpoint(path)


def test_a_file_cut_short_is_refused(tmp_path):
    path = _with_tensor(
        tmp_path / "w.pth", count=6, values=np.zeros(6), shape="K\x02K\x03\x86", strides="K\x03K\x01\x86"
    )
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InvalidCheckpoint, match="ends early"):
        read_checkpoint(path)


def test_a_pickle_that_calls_something_is_refused_and_not_run(tmp_path):
    left = tmp_path / "left-behind"
    path = _write(tmp_path / "evil.pth", OrderedDict(w=_Call(os.mkdir, str(left))))
    with pytest.raises(InvalidCheckpoint, match=r"posix\.mkdir|nt\.mkdir"):
        read_checkpoint(path)
    assert not left.exists()


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"PK\x03\x04", pickle.dumps(1)])
def test_other_files_than_checkpoints_are_refused(tmp_path, content):
    path = tmp_path / "other.pth"
    path.write_bytes(content)
    with pytest.raises(InvalidCheckpoint):
        read_checkpoint(path)


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    with pytest.raises(InvalidCheckpoint, match="named tensors"):
        read_checkpoint(_write(tmp_path / "list.pth", [1, 2]))
