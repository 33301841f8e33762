"""Tensors as they were and as they are: whether each still has its shape, type and memory, and where it lies.

What looks at thousands of tensors at every step has to be fast, so it is compiled where that is possible. The functions
in Python are the definition: the compiled ones are compared with them on tensors of many kinds before they are used.
"""

from __future__ import annotations

import ctypes
import enum
import sys
from collections.abc import Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gradwright.native import build

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


class Verdict(enum.IntEnum):
    """What became of a tensor."""

    SAME = 0
    MOVED = 1
    """It lies elsewhere, but is all that it was."""
    OTHER = 2
    """Its shape, strides, type or device changed, its memory is too small or shared, or says not what it holds: look
    closer."""
    MISSING = 3
    """There is no gradient."""


class Known:
    """What tensors were when they were looked at last.

    Attributes:
        pointers: where they lie.
        verdicts: what became of each when it was looked at last.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.count = len(tensors)
        self.shapes = [(tensor.dtype, tensor.device, tuple(tensor.shape), tensor.stride()) for tensor in tensors]
        self.bytes = [extent(tensor) * tensor.element_size() for tensor in tensors]
        self.pointers = np.fromiter((tensor.data_ptr() for tensor in tensors), np.int64, self.count)
        self.verdicts = np.zeros(self.count, np.uint8)
        self._facts: np.ndarray | None = None
        self.objects = np.zeros(0, np.int64)
        """Python's tensors, by ``id``, where they are the same as at the last look."""
        self.impls = np.zeros(self.count, np.int64)
        """What torch's own code knows the tensors by."""

    def facts(self, native: Native) -> np.ndarray:
        """The same for compiled code."""
        if self._facts is None:
            rows, sizes = [], [0]
            for (dtype, device, shape, strides), count in zip(self.shapes, self.bytes):
                device_type, index = native.devices(device)
                kind, item = native.number_of(dtype), dtype.itemsize
                rows.append((kind, device_type, index, len(shape), len(sizes), item, count, dtype.is_complex))
                sizes += [*shape, *strides]
            self._facts = np.array(rows, np.int64).reshape(-1, 8)
            self.sizes = np.array(sizes, np.int64)
            self.handles = np.zeros(self.count, np.int64)
        return self._facts


def extent(tensor: Tensor) -> int:
    """How many entries of memory lie between a tensor's first and its last, those two included."""
    if tensor.numel() == 0:
        return 0
    return 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride()))


def look(known: Known, tensors: Sequence[Tensor], again: bool = False) -> int:
    """Look at all ``tensors``, which stand where those of ``known`` stood.

    Args:
        known: what they were.
        tensors: what they are.
        again: whether they are the same objects as at the last look, and were alive since.

    Returns:
        The gravest verdict; all of them, and where the tensors lie, are then in ``known``.
    """
    compiled = native()
    if compiled is not None:
        return compiled.look(known, tensors, again)
    return look_in_python(known, tensors)


def look_at_gradients(
    known: Known,
    params: Sequence[Tensor],
    owners: np.ndarray,
    written: np.ndarray,
    impls: np.ndarray | None = None,
) -> tuple[int, Sequence[Tensor | None] | None]:
    """Look at the gradients of ``params``, of which ``known`` says what they should be like.

    Args:
        known: what the parameters are.
        params: whose gradients.
        owners: where the parameters lie.
        written: where parameters and state lie, as :func:`stretches` of memory.
        impls: what torch's own code knows the parameters by, where that was looked up before.

    Returns:
        The gravest verdict, and the gradients where they had to be fetched.
    """
    compiled = native()
    if compiled is not None:
        return compiled.look_at_gradients(known, params, owners, written, impls), None
    grads = list(map(Tensor.grad.__get__, params))  # type: ignore[attr-defined]
    return look_at_gradients_in_python(known, grads, owners, written), grads


def look_in_python(known: Known, tensors: Sequence[Tensor]) -> int:
    """The definition of :func:`look`."""
    for at, tensor in enumerate(tensors):
        known.verdicts[at] = Verdict.OTHER
        if _fits(known, at, tensor):
            place = tensor.data_ptr()
            if place or not known.bytes[at]:
                known.verdicts[at] = Verdict.SAME if place == known.pointers[at] else Verdict.MOVED
                known.pointers[at] = place
    return int(known.verdicts.max(initial=0))


def look_at_gradients_in_python(
    known: Known, grads: Sequence[Tensor | None], owners: np.ndarray, written: np.ndarray
) -> int:
    """The definition of :func:`look_at_gradients`."""
    for at, grad in enumerate(grads):
        known.verdicts[at] = Verdict.MISSING if grad is None else Verdict.OTHER
        if grad is None or not _fits(known, at, grad):
            continue
        place = grad.data_ptr()
        if place or not known.bytes[at]:
            known.pointers[at] = place
            shared = bool(((written[0] < place + known.bytes[at]) & (written[1] > place)).any())
            known.verdicts[at] = Verdict.OTHER if shared and place != owners[at] else Verdict.SAME
    return int(known.verdicts.max(initial=0))


def _fits(known: Known, at: int, tensor: Tensor) -> bool:
    dtype, device, shape, strides = known.shapes[at]
    if tensor.layout != torch.strided or tensor.dtype != dtype or tuple(tensor.shape) != shape:
        return False
    if tensor.is_neg() or tensor.is_conj() or tensor.device != device:
        return False
    alike = all(size <= 1 or one == other for size, one, other in zip(shape, tensor.stride(), strides))
    begin = tensor.storage_offset() * tensor.element_size()
    try:
        return alike and begin + known.bytes[at] <= tensor.untyped_storage().nbytes()
    except (RuntimeError, NotImplementedError):  # it has no memory of its own
        return False


def stretches(begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """The memory of tensors as stretches that do not touch one another, in order: their begins, then their ends."""
    order = np.argsort(begins, kind="stable")
    order = order[ends[order] > begins[order]]
    begins, ends = begins[order], np.maximum.accumulate(ends[order])
    first = np.ones(len(begins), bool)
    first[1:] = begins[1:] > ends[:-1]
    last = np.append(first[1:], True)[: len(begins)]
    return np.ascontiguousarray(np.stack([begins[first], ends[last]]))


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
    samples = [torch.empty(2), torch.nn.Parameter(torch.empty(2, 3)), torch.empty(4)[1:], torch.empty(0).t()]
    word = ctypes.sizeof(ctypes.c_void_p)
    size = min(type(one).__basicsize__ for one in samples)
    for offset in range(2 * word, size, word):
        if all(ctypes.c_void_p.from_address(id(one) + offset).value == one._cdata for one in samples):
            return offset
    return 0


def _address(function: Any) -> int:
    return 0 if function is None else int(ctypes.cast(function, ctypes.c_void_p).value or 0)


@lru_cache(maxsize=1)
def native() -> Native | None:
    """The compiled functions; ``None`` where they cannot be had, or do not say what those in Python say."""
    try:
        found = Native()
        return found if _agrees(found) else None
    except (RuntimeError, OSError, AttributeError, TypeError, StopIteration, KeyError, ValueError):
        return None


def _agrees(found: Native) -> bool:
    """Compare with the definition, on tensors that stayed, moved, were cut, turned, emptied and given other types."""
    zeros = partial(torch.zeros, device="cpu")

    def changed() -> list[Tensor]:
        tensors = [zeros(4, 6) for _ in range(10)]
        tensors[1].data = zeros(4, 6)
        tensors[2].data = tensors[2][:2]
        tensors[3].data = zeros(6, 4).t()
        tensors[4].untyped_storage().resize_(0)
        tensors[5].data = zeros(4, 6, dtype=torch.float64)
        tensors[6].data = zeros(25)[1:].view(4, 6)
        tensors[7].data = zeros(4, 6, 1)
        tensors[8].data = zeros(0, 6)
        tensors[9].data = torch._neg_view(tensors[9])
        return tensors

    def same(one: Known, other: Known) -> bool:
        usable = one.verdicts < Verdict.OTHER
        pointers = np.array_equal(one.pointers[usable], other.pointers[usable])
        return pointers and np.array_equal(one.verdicts, other.verdicts)

    before = [zeros(4, 6) for _ in range(10)]
    after = changed()
    mine, its = Known(before), Known(before)
    if found.look(mine, after) != look_in_python(its, after) or not same(mine, its):
        return False
    params = [zeros(4, 6, requires_grad=True) for _ in after]
    for param, grad in zip(params, after):
        if grad.shape == param.shape and grad.dtype == param.dtype and grad is not after[4]:
            param.grad = grad
    params[8].grad = zeros(4, 6, dtype=torch.complex64).conj().imag
    params[9].grad = params[9].detach()
    params[0].grad = params[9].detach()
    mine, its = Known(params), Known(params)
    grads = [param.grad for param in params]
    written = stretches(mine.pointers, mine.pointers + np.array(mine.bytes))
    one = found.look_at_gradients(mine, params, mine.pointers.copy(), written)
    other = look_at_gradients_in_python(its, grads, its.pointers.copy(), written)
    return one == other and same(mine, its)
