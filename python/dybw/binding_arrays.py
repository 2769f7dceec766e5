"""NumPy arrays bound to a run. They stay the caller's: values are copied in and out, in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping

from .binding import Binding, Entry, Local, describe
from .memory import Memory
from .wire import MisuseError, TrainerError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ArrayBinding"]


class ArrayBinding(Binding):
    """All floating-point arrays are averaged, unless a pattern of `local` names them."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], local: Local) -> None:
        super().__init__(local)
        import numpy

        self._numpy = numpy
        if not isinstance(arrays, Mapping):
            raise MisuseError("bind_arrays takes a mapping from names to arrays, not a "
                              f"{type(arrays).__name__}")
        self._given = arrays
        self._averaged: dict[str, NDArray[Any]] = {}
        self._local: dict[str, NDArray[Any]] = {}
        self._views: dict[int, list[NDArray[Any]]] = {}
        for name, array in arrays.items():
            if not isinstance(array, numpy.ndarray) or not array.flags.writeable:
                raise MisuseError(f"{name} must be a NumPy array that can be written, not a "
                                  f"{type(array).__name__}")
            if self._is_local(name):
                self._local[name] = array
            elif array.dtype.kind == "f":
                self._averaged[name] = array
            else:
                raise MisuseError(f"{name} is of {array.dtype}, and only floating-point arrays can be "
                                  f"averaged; give local={name!r} to keep it with the worker")
        self._check_patterns(arrays)
        if not self._averaged:
            raise MisuseError("bind_arrays needs at least one array to average")
        self._shapes = {name: (array.shape, array.dtype) for name, array in arrays.items()}
        # Less precise than float32: the change is returned, added to what came.
        self._rough = any(array.dtype.itemsize < 4 for array in self._averaged.values())

    def entries(self) -> list[Entry]:
        return [Entry(name, str(x.dtype), x.shape, False, 0) for name, x in self._averaged.items()]

    def attach(self, memory: Memory, slot: int) -> None:
        self._memory = memory
        for array, view in zip(self._averaged.values(), self._views_of(slot)):
            view[...] = array

    def begin(self, source: int, target: int) -> None:
        self._target = target
        if self._rough:
            self._memory.copy(source, target)
        self.show(source)

    def finish(self) -> None:
        for (name, array), view in zip(self._averaged.items(), self._views_of(self._target)):
            self._check_unchanged(name, array)
            if array.dtype.itemsize < 4:
                view += array.astype(view.dtype) - view.astype(array.dtype).astype(view.dtype)
            else:
                view[...] = array

    def show(self, slot: int) -> None:
        for array, view in zip(self._averaged.values(), self._views_of(slot)):
            array[...] = view

    def _check_unchanged(self, name: str, array: NDArray[Any]) -> None:
        if self._given.get(name) is not array:
            raise MisuseError(f"{name} is another array than at bind_arrays; write into the one that was "
                              f"bound, as in {name}[...] = values or {name} -= change")
        if (array.shape, array.dtype) != self._shapes[name]:
            shape, kind = self._shapes[name]
            raise MisuseError(f"{name} has become {describe(array.dtype, array.shape)}; it was bound as "
                              f"{describe(kind, shape)}")

    def _views_of(self, slot: int) -> list[NDArray[Any]]:
        if slot not in self._views:
            views = []
            at = self._memory.offset(slot)
            for array in self._averaged.values():
                flat = self._numpy.frombuffer(self._memory.buffer, dtype="<f4", count=array.size, offset=at)
                views.append(flat.reshape(array.shape))
                at += flat.nbytes
            self._views[slot] = views
        return self._views[slot]

    def _local_values(self) -> dict[str, Any]:
        return dict(self._local)

    def _set_local_values(self, values: dict[str, Any]) -> None:
        for name, array in self._local.items():
            value = values.get(name)
            if not isinstance(value, self._numpy.ndarray) or value.shape != array.shape:
                raise TrainerError(f"the state to load has no {name} of {describe(array.dtype, array.shape)}")
            array[...] = value
