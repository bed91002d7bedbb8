"""A host's arrays as compiled code takes them: one pointer to where each array lies, and how long it is.

numba passes a tuple of arrays array by array, and counts references to arrays and to objects that own them. Here none
is counted: whoever calls compiled code keeps the Handle, and with it the arrays. The pointer leads to int64 words, for
each array in the order of ``State``: its address and its lengths.
"""

from typing import Any, get_type_hints

import numpy as np
from numba import config, from_dtype, types
from numba.core import cgutils
from numba.core.datamodel import models
from numba.core.typing.templates import AttributeTemplate
from numba.extending import NativeValue, infer_getattr, lower_getattr_generic, register_model, unbox
from numba.np.arrayobj import make_array, populate_array

from scheduler.kernel_state import State

_HINTS = {name: hint.__metadata__ for name, hint in get_type_hints(State, include_extras=True).items()}
ARRAYS = {name: types.Array(from_dtype(np.dtype(kind)), ndim, "C") for name, (kind, ndim) in _HINTS.items()}
"""The numba type of each array of a State."""
FIRST_WORD = dict(zip(ARRAYS, np.cumsum([0] + [1 + array.ndim for array in ARRAYS.values()]).tolist(), strict=False))


class Handle:
    """A State as compiled code takes it."""

    def __init__(self, state: State) -> None:
        for name, array in zip(ARRAYS, state, strict=True):
            kind, ndim = _HINTS[name]
            if array.dtype != kind or array.ndim != ndim or not array.flags.c_contiguous:
                raise TypeError(f"State.{name} is {array.dtype} with {array.ndim} dimensions, not {kind} with {ndim}")
        self._state = state
        words = [word for array in state for word in (array.ctypes.data, *array.shape)]
        self._words = np.array(words, np.int64)
        self.address = self._words.ctypes.data

    @property
    def _numba_type_(self) -> "HandleType":
        return HANDLE


def handle_of(state: State) -> "Handle | State":
    """Return what the functions of ``kernel_*`` take for a State: the State itself where numba is off."""
    off: bool = config.DISABLE_JIT  # type: ignore[attr-defined]
    return state if off else Handle(state)


class HandleType(types.Type):
    """The numba type of a Handle."""

    def __init__(self) -> None:
        super().__init__(name="Handle")


HANDLE = HandleType()
register_model(HandleType)(models.OpaqueModel)


@unbox(HandleType)
def _unbox(kind: HandleType, handle: Any, c: Any) -> NativeValue:
    number = c.pyapi.object_getattr_string(handle, "address")
    address = c.pyapi.long_as_longlong(number)
    c.pyapi.decref(number)
    return NativeValue(c.builder.inttoptr(address, cgutils.voidptr_t))


@infer_getattr
class _Attributes(AttributeTemplate):
    key = HandleType

    def generic_resolve(self, kind: HandleType, name: str) -> types.Type | None:  # type: ignore[override]
        return ARRAYS.get(name)


@lower_getattr_generic(HandleType)
def _array(context: Any, builder: Any, kind: HandleType, pointer: Any, name: str) -> Any:
    """Make the array ``name`` of a Handle, without an owner; what the words say never changes."""
    array = ARRAYS[name]
    words = builder.bitcast(pointer, cgutils.intp_t.as_pointer())
    data, *lengths = (_word(builder, words, FIRST_WORD[name] + k) for k in range(1 + array.ndim))
    size = context.get_abi_sizeof(context.get_data_type(array.dtype))
    strides = [cgutils.intp_t(size)]
    for length in reversed(lengths[1:]):
        strides.insert(0, builder.mul(strides[0], length))
    value = make_array(array)(context, builder)
    populate_array(value, builder.inttoptr(data, value.data.type), lengths, strides, size, meminfo=None)
    return value._getvalue()


def _word(builder: Any, words: Any, number: int) -> Any:
    load = builder.load(builder.gep(words, [cgutils.intp_t(number)]))
    load.set_metadata("invariant.load", builder.module.add_metadata([]))
    return load
