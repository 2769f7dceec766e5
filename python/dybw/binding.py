"""What ties a model's arrays to the slots of the shared memory, whatever kind of arrays they are."""

from __future__ import annotations

import contextlib
import math
import struct
from fnmatch import fnmatchcase
from typing import Any, ContextManager, Iterable, Mapping, NamedTuple, Union

from .memory import Memory
from .state import check_stateful, generators, restore, restore_generators, state_of
from .wire import MisuseError, TrainerError, text

#: What bind() takes as `local`: named objects with a state, patterns of tensors' names, or both.
Local = Union[None, str, Iterable[str], Mapping[str, Any]]


class Entry(NamedTuple):
    """One array of the layout. `crc` is 0 unless it is frozen."""

    name: str
    type: str
    shape: tuple[int, ...]
    frozen: bool
    crc: int

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


class Binding:
    """A model bound to the run. Subclasses know how its arrays are copied.

    In a run: `attach`, then for each step `begin` and `finish`, and between steps `show`, `save`, `load`.
    Without a run only `scoring` is used.
    """

    #: Where the arrays are.
    device = "cpu"

    def __init__(self, local: Local) -> None:
        self._objects, self._patterns = _parts_of(local)
        self._unused = set(self._patterns)

    def entries(self) -> list[Entry]:
        """The layout: all arrays that are averaged or frozen. Averaged ones lie in a slot in this order."""
        raise NotImplementedError

    def attach(self, memory: Memory, slot: int) -> None:
        """Writes the values that the arrays have now into the slot, as those to start from."""
        raise NotImplementedError

    def begin(self, source: int, target: int) -> None:
        """Gives the arrays the values of slot `source`; what `finish` returns goes to slot `target`."""
        raise NotImplementedError

    def finish(self) -> None:
        """Completes the slot that `begin` named. Nothing is written there afterwards."""
        raise NotImplementedError

    def guard(self) -> None:
        """Raises MisuseError if the arrays were changed since `finish`, where this can be seen."""

    def show(self, slot: int) -> None:
        """Gives the arrays the values of a slot until the next `begin`, without ever writing there."""
        raise NotImplementedError

    def scoring(self) -> ContextManager[None]:
        """The circumstances in which a score is computed."""
        return contextlib.nullcontext()

    def release(self) -> None:
        """Leaves the arrays their values without the shared memory: the run is over."""

    def save(self) -> dict[str, Any]:
        """What stays with this worker: objects by name, local tensors, the global generators."""
        return {"objects": {name: state_of(thing) for name, thing in self._objects.items()},
                "tensors": self._local_values(), "generators": generators()}

    def load(self, saved: Any) -> None:
        """The reverse. Raises TrainerError if the script has other local objects or tensors."""
        if not isinstance(saved, dict) or set(saved) != {"objects", "tensors", "generators"}:
            raise TrainerError("the state to load is none that this package saved")
        if set(saved["objects"]) != set(self._objects):
            raise TrainerError(f"the state to load has {_listed(saved['objects'])} where local= names "
                               f"{_listed(self._objects)}; give bind() what the script that saved it gave")
        self._set_local_values(saved["tensors"])
        for name, thing in self._objects.items():
            restore(thing, saved["objects"][name])
        restore_generators(saved["generators"])

    def _local_values(self) -> dict[str, Any]:
        raise NotImplementedError

    def _set_local_values(self, values: dict[str, Any]) -> None:
        raise NotImplementedError

    def _is_local(self, name: str) -> bool:
        """Whether a pattern names it. `*.bn*` is meant for a `bn1` at the top too, hence the dot."""
        matching = {p for p in self._patterns if fnmatchcase(name, p) or fnmatchcase("." + name, p)}
        self._unused -= matching
        return bool(matching)

    def _check_patterns(self, names: Iterable[str]) -> None:
        if self._unused:
            unused = " or ".join(map(repr, sorted(self._unused)))
            raise MisuseError(f"local: no tensor is called {unused}; there are {_listed(names)}")


def layout(entries: list[Entry], abilities: int) -> bytes:
    """The body of the message `layout`."""
    parts = [struct.pack("<II", abilities, len(entries))]
    for x in entries:
        parts += [text(x.name), text(x.type), struct.pack("<BII", x.frozen, x.crc, len(x.shape)),
                  struct.pack(f"<{len(x.shape)}Q", *x.shape)]
    return b"".join(parts)


def describe(kind: Any, shape: Iterable[int], device: Any = "cpu") -> str:
    """An array in messages: `float32 [3, 4]`, or `float32 [3, 4] on cuda:0`."""
    where = "" if str(device) == "cpu" else f" on {device}"
    return f"{str(kind).split('.')[-1]} {list(shape)}{where}"


def _parts_of(local: Local) -> tuple[dict[str, Any], list[str]]:
    objects: dict[str, Any] = {}
    patterns: list[str] = []
    if local is None:
        return objects, patterns
    for name, x in local.items() if isinstance(local, Mapping) else [("", local)]:
        if isinstance(x, str):
            patterns.append(x)
        elif isinstance(x, (list, tuple, set, frozenset)) and all(isinstance(p, str) for p in x):
            patterns += x
        elif name:
            check_stateful(name, x)
            objects[name] = x
        else:
            raise MisuseError("local= takes a mapping from names to objects, such as {'opt': opt}, or "
                              f"patterns of tensors' names, such as '*.bn*', not a {type(x).__name__}")
    return objects, patterns


def _listed(names: Iterable[str]) -> str:
    found = list(names)
    return (", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")) or "nothing"
