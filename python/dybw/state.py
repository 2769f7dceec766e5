"""What a trainer keeps for itself, as bytes: a tree of plain values, arrays and tensors.

JSON for the tree, raw bytes for what is large. Reading it runs no code, unlike a pickle: saved state may come
from another machine.
"""

from __future__ import annotations

import ctypes
import json
import random
import struct
import sys
from importlib import import_module
from typing import Any

from .wire import MisuseError, TrainerError

_MAGIC = b"dybw state 1\n\0\0\0"
_HEAD = struct.Struct("<16sQ")


def pack(value: Any) -> bytes:
    """Of None, numbers, str, bytes, NumPy arrays, torch tensors, and of lists, tuples and dicts of them.

    Raises TrainerError that names the place of anything else.
    """
    parts: list[bytes] = []
    size = 0

    def keep(data: bytes) -> list[int]:
        nonlocal size
        parts.append(data)
        size += len(data)
        return [size - len(data), len(data)]

    def tree(x: Any, at: str) -> Any:
        if x is None or isinstance(x, (bool, int, float, str)):
            return x
        if isinstance(x, (bytes, bytearray)):
            return {"bytes": keep(bytes(x))}
        if isinstance(x, (list, tuple)):
            kind = "list" if isinstance(x, list) else "tuple"
            return {kind: [tree(y, f"{at}[{i}]") for i, y in enumerate(x)]}
        if isinstance(x, dict):
            return {"dict": [[tree(k, at), tree(y, f"{at}.{k}" if at else str(k))] for k, y in x.items()]}
        torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
        if torch is not None and isinstance(x, torch.Tensor):
            return {"tensor": [str(x.dtype).split(".")[-1], list(x.shape), *keep(tensor_bytes(x))]}
        if numpy is not None and isinstance(x, numpy.generic):
            return x.item()
        if numpy is not None and isinstance(x, numpy.ndarray) and x.dtype.kind in "biufc":
            return {"array": [x.dtype.newbyteorder("<").str, list(x.shape),
                              *keep(x.astype(x.dtype.newbyteorder("<")).tobytes())]}
        raise TrainerError(f"{at} is of type {type(x).__name__}, which cannot be saved; its state_dict() "
                           "must hold numbers, texts, lists, dicts, arrays and tensors only")

    document = json.dumps(tree(value, "")).encode()
    return b"".join([_HEAD.pack(_MAGIC, len(document)), document, *parts])


def unpack(data: bytes) -> Any:
    """What `pack` packed; tensors are on the processor. Raises TrainerError if it is anything else."""
    try:
        magic, size = _HEAD.unpack_from(data)
        if magic != _MAGIC:
            raise ValueError("it does not begin as one")
        document = json.loads(data[_HEAD.size : _HEAD.size + size])
        return _value(document, memoryview(data)[_HEAD.size + size :])
    except (ValueError, TypeError, LookupError, AttributeError, struct.error, RecursionError) as error:
        raise TrainerError(f"the state to load is none that this package saved ({error})") from error


def _value(x: Any, rest: memoryview) -> Any:
    def piece(start: int, size: int) -> memoryview:
        if not 0 <= start <= start + size <= len(rest):
            raise ValueError("it is cut off")
        return rest[start : start + size]

    if not isinstance(x, dict):
        return x
    ((kind, what),) = x.items()
    if kind == "list":
        return [_value(y, rest) for y in what]
    if kind == "tuple":
        return tuple(_value(y, rest) for y in what)
    if kind == "dict":
        return {_value(k, rest): _value(y, rest) for k, y in what}
    if kind == "bytes":
        return bytes(piece(*what))
    name, shape, start, size = what
    if kind == "array":
        numpy: Any = import_module("numpy")
        return numpy.frombuffer(bytearray(piece(start, size)), dtype=numpy.dtype(name)).reshape(shape)
    if kind == "tensor":
        torch: Any = import_module("torch")
        dtype = getattr(torch, name)
        if not isinstance(dtype, torch.dtype):
            raise ValueError(f"{name} is no type of tensors")
        if size == 0:
            return torch.empty(shape, dtype=dtype)
        return torch.frombuffer(bytearray(piece(start, size)), dtype=dtype).reshape(shape)
    raise ValueError(f"it has a {kind}")


def tensor_bytes(tensor: Any) -> bytes:
    """The elements of a torch tensor, the last index moving quickest."""
    flat = tensor.detach().cpu().contiguous()
    return ctypes.string_at(flat.data_ptr(), flat.numel() * flat.element_size()) if flat.numel() else b""


def check_stateful(name: str, thing: Any) -> None:
    """Raises MisuseError if `state_of` could do nothing with it."""
    both = (("state_dict", "load_state_dict"), ("getstate", "setstate"), ("get_state", "set_state"))
    has_pair = any(hasattr(thing, a) and hasattr(thing, b) for a, b in both)
    if not has_pair and not hasattr(thing, "bit_generator"):
        raise MisuseError(f"local[{name!r}] has no state_dict() and load_state_dict(), so it cannot be "
                          "saved; leave it out, or give it both")


def state_of(thing: Any) -> Any:
    """Of an optimiser or whatever has state_dict(), or of a generator of Python, NumPy or torch."""
    if hasattr(thing, "state_dict"):
        return thing.state_dict()
    if hasattr(thing, "getstate"):
        return thing.getstate()
    if hasattr(thing, "get_state"):
        return thing.get_state()
    return thing.bit_generator.state


def restore(thing: Any, state: Any) -> None:
    """The reverse of `state_of`."""
    if hasattr(thing, "load_state_dict"):
        thing.load_state_dict(state)
    elif hasattr(thing, "setstate"):
        thing.setstate(state)
    elif hasattr(thing, "set_state"):
        thing.set_state(state)
    else:
        thing.bit_generator.state = state


def generators() -> dict[str, Any]:
    """The global generators of Python, and of NumPy and torch where they are in use."""
    states: dict[str, Any] = {"random": random.getstate()}
    numpy: Any = sys.modules.get("numpy")
    torch: Any = sys.modules.get("torch")
    if numpy is not None:
        states["numpy"] = numpy.random.get_state()
    if torch is not None:
        states["torch"] = torch.get_rng_state()
        if torch.cuda.is_initialized():
            states["cuda"] = torch.cuda.get_rng_state()
    return states


def restore_generators(states: dict[str, Any]) -> None:
    """The reverse of `generators`; what is not in use here stays as it is."""
    numpy: Any = sys.modules.get("numpy")
    torch: Any = sys.modules.get("torch")
    random.setstate(states["random"])
    if numpy is not None and "numpy" in states:
        numpy.random.set_state(states["numpy"])
    if torch is not None and "torch" in states:
        torch.set_rng_state(states["torch"])
        if "cuda" in states and torch.cuda.is_available():
            torch.cuda.set_rng_state(states["cuda"])
