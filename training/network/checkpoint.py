"""Reads a PyTorch checkpoint file of the format before version 1.6 without PyTorch, as numpy arrays by name.

The file holds pickles (magic number, protocol, system, the tensors' shapes, the keys of the storages), then
the storages: an int64 count and that many raw little-endian values each. Source: `torch/serialization.py`,
`_legacy_save`. A pickle can call any function that it names, so only the four names below are allowed; any
other is refused before it is looked up.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


class InvalidCheckpoint(Exception):
    """The file is not such a checkpoint, or contains more than numbers."""


@dataclass
class _Storage:
    """Values that tensors are views of; they follow the pickles in the file."""

    dtype: np.dtype[Any]
    count: int
    values: bytes = b""


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage."""

    storage: _Storage
    offset: int  # in values
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in values

    def array(self) -> NDArray[Any]:
        """A copy of the values; numpy refuses a view that reaches beyond the storage."""
        dtype = self.storage.dtype
        strides = tuple(stride * dtype.itemsize for stride in self.strides)
        view: NDArray[Any] = np.ndarray(
            self.shape, dtype, self.storage.values, self.offset * dtype.itemsize, strides
        )
        return view.copy()


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> _Tensor:
    """Replaces torch._utils._rebuild_tensor_v2."""
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise InvalidCheckpoint(f"it names {module}.{name}, which weights do not need")

    def persistent_load(self, pid: Any) -> _Storage:
        match pid:
            case ("storage", np.dtype() as dtype, str(key), _, int(count), None):
                return self.storages.setdefault(key, _Storage(dtype, count))
        raise InvalidCheckpoint("a storage of an unknown kind")


def read_checkpoint(path: Path) -> dict[str, NDArray[Any]]:
    """Read the tensors of a checkpoint.

    Args:
        path: a file written by `torch.save` before PyTorch 1.6, holding an ordered dict of tensors.

    Returns:
        Each tensor by its name, float32 or int64, in the order of the file.

    Raises:
        InvalidCheckpoint: the file is refused, with the reason.
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        try:
            if _Unpickler(file).load() != _MAGIC or _Unpickler(file).load() != _PROTOCOL:
                raise InvalidCheckpoint("not a PyTorch checkpoint of the format before 1.6")
            _Unpickler(file).load()  # the system that wrote it: little-endian in all packages used here
            shapes = _Unpickler(file)
            tensors = shapes.load()
            for key in _Unpickler(file).load():
                storage = shapes.storages[key]
                size = storage.count * storage.dtype.itemsize
                found = int.from_bytes(file.read(8), "little")
                storage.values = file.read(size)
                if found != storage.count or len(storage.values) != size:
                    raise InvalidCheckpoint("the file ends early")
            if not isinstance(tensors, dict) or not all(isinstance(t, _Tensor) for t in tensors.values()):
                raise InvalidCheckpoint("it contains something other than named tensors")
            return {str(name): tensor.array() for name, tensor in tensors.items()}
        except (pickle.UnpicklingError, EOFError, KeyError, TypeError, ValueError, IndexError) as error:
            raise InvalidCheckpoint(f"broken checkpoint: {error}") from error
