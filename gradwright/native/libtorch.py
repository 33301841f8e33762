"""Looking at thousands of tensors in compiled code, by the stable C interface of libtorch."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradwright.native import build
from gradwright.native.known import Known

GETTERS = (
    "data_ptr",
    "layout",
    "dtype",
    "device_type",
    "device_index",
    "dim",
    "sizes",
    "strides",
    "storage_offset",
    "storage_size",
)
"""The functions of libtorch's stable C interface that are handed over, in order."""
GRADIENT = "_ZNK3c1010TensorImpl4gradEv"
"""``c10::TensorImpl::grad``, which has no such interface."""
PREDICATES = ("_ZN2at6native6is_negERKNS_6TensorE", "_ZN2at6native7is_conjERKNS_6TensorE")
"""``at::native::is_neg`` and ``is_conj``: whether memory holds the negative or the conjugate of what a tensor is."""


class Native:
    """The compiled functions, with what they need to know of this torch.

    Raises:
        NoCompiler, OSError, AttributeError: they cannot be had here.
    """

    def __init__(self) -> None:
        code = build.load((Path(__file__).parent / "tensors.cpp").read_text())
        # held by the interpreter's lock, so that no other thread frees what is looked at
        code = ctypes.PyDLL(code._name)
        folder = Path(torch.__file__).parent / "lib"
        library = ctypes.CDLL(str(next(folder.glob("libtorch_cpu.*"))))
        found = [getattr(library, f"aoti_torch_get_{name}") for name in GETTERS]
        self._get = dict(zip(GETTERS, found))
        self._devices: dict[torch.device, tuple[int, int]] = {}
        core = ctypes.CDLL(str(next(folder.glob("libc10.*"))))
        extra = [getattr(core, GRADIENT), *(getattr(library, name) for name in PREDICATES)]
        gradient = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(_address(extra[0]))
        undefined = ctypes.c_void_p.from_address(gradient(torch.ones(1, device="cpu")._cdata)).value
        self._torch = np.array([*map(_address, found), *map(_address, extra), undefined], np.int64)
        self._look, self._look_at_gradients, self._stand_for = code.look, code.look_at_gradients, code.stand_for
        self._offset = _offset_of_impl()
        pointer, count = ctypes.c_void_p, ctypes.c_int64
        self._look.argtypes = [pointer, count, *[pointer] * 5]
        self._look_at_gradients.argtypes = [pointer, count, *[pointer] * 5, count, *[pointer] * 3]
        self._stand_for.argtypes = [count, pointer, count, pointer]
        self._look.restype = self._look_at_gradients.restype = self._stand_for.restype = count
        self._types: dict[torch.dtype, int] = {}

    def _number(self, what: str, tensor: Tensor) -> int:
        impl, answer = ctypes.c_void_p(tensor._cdata), ctypes.c_int32(-7)
        if self._get[what](ctypes.byref(impl), ctypes.byref(answer)):
            raise OSError(f"torch did not tell the {what} of a tensor")
        return answer.value

    def number_of(self, dtype: torch.dtype) -> int:
        """A type, as torch's C interface counts them."""
        if dtype not in self._types:
            self._types[dtype] = self._number("dtype", torch.empty(0, dtype=dtype, device="cpu"))
        return self._types[dtype]

    def devices(self, device: torch.device) -> tuple[int, int]:
        """Kind and index of a device, as torch's C interface counts them."""
        if device not in self._devices:
            one = torch.empty(0, device=device)
            self._devices[device] = self._number("device_type", one), self._number("device_index", one)
        return self._devices[device]

    def _identified(self, known: Known, tensors: Sequence[Tensor], again: bool) -> None:
        """Bring up to date what torch's own code knows tensors by, which may be exchanged between two objects."""
        if again and len(known.objects) and self._same(known):
            return
        known.impls = np.fromiter(map(_cdata, tensors), np.int64, known.count)
        known.objects = np.fromiter(map(id, tensors), np.int64, known.count if self._offset else 0)

    def _same(self, known: Known) -> bool:
        return bool(self._stand_for(known.count, known.objects.ctypes.data, self._offset, known.impls.ctypes.data))

    def look(self, known: Known, tensors: Sequence[Tensor], again: bool = False) -> int:
        facts = known.facts(self)
        self._identified(known, tensors, again)
        return self._look(
            self._torch.ctypes.data,
            known.count,
            known.impls.ctypes.data,
            facts.ctypes.data,
            known.sizes.ctypes.data,
            known.pointers.ctypes.data,
            known.verdicts.ctypes.data,
        )

    def look_at_gradients(
        self,
        known: Known,
        params: Sequence[Tensor],
        owners: np.ndarray,
        written: np.ndarray,
        impls: np.ndarray | None = None,
    ) -> int:
        facts = known.facts(self)
        if impls is None:
            impls = np.fromiter(map(_cdata, params), np.int64, known.count)
        return self._look_at_gradients(
            self._torch.ctypes.data,
            known.count,
            impls.ctypes.data,
            facts.ctypes.data,
            known.sizes.ctypes.data,
            owners.ctypes.data,
            written.ctypes.data,
            written.shape[1],
            known.pointers.ctypes.data,
            known.verdicts.ctypes.data,
            known.handles.ctypes.data,
        )


_cdata: Any = Tensor._cdata.__get__  # type: ignore[attr-defined]


def _offset_of_impl() -> int:
    """Where in Python's object of a tensor the address of its implementation stands; 0 if that cannot be told."""
    if sys.implementation.name != "cpython":
        return 0
    two, six, four, none = (torch.empty(size, device="cpu") for size in ((2,), (2, 3), (4,), (0,)))
    samples = [two, torch.nn.Parameter(six), four[1:], none.t()]
    word = ctypes.sizeof(ctypes.c_void_p)
    size = min(type(one).__basicsize__ for one in samples)
    for offset in range(2 * word, size, word):
        if all(ctypes.c_void_p.from_address(id(one) + offset).value == one._cdata for one in samples):
            return offset
    return 0


def _address(function: Any) -> int:
    return 0 if function is None else int(ctypes.cast(function, ctypes.c_void_p).value or 0)
