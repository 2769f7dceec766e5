"""A torch module bound to a run.

On the processor its float32 tensors live in the slot that the step is to fill: the optimiser works there in
place, and completing the step copies nothing. On an accelerator they live in one flat tensor there, which is
one copy each way. All others (other types, other layouts in memory) are copied one by one.
"""

from __future__ import annotations

import contextlib
import zlib
from importlib import import_module
from typing import Any, ContextManager, Iterator

from .binding import Binding, Entry, Local, describe
from .memory import Memory
from .state import tensor_bytes
from .wire import MisuseError, TrainerError


class _Held:
    """A parameter or buffer, by where its module holds it: modules may put another buffer in its place."""

    __slots__ = ("name", "table", "key", "first", "shape", "dtype", "device", "parameter", "plain", "direct",
                 "exact")

    def __init__(self, name: str, table: dict[str, Any], key: str, torch: Any) -> None:
        self.name = name
        self.table = table
        self.key = key
        self.first = table[key]
        self.shape = self.first.shape
        self.dtype = self.first.dtype
        self.device = self.first.device
        self.parameter = isinstance(self.first, torch.nn.Parameter)
        # Plain: float32 values that lie in order. Direct: they live where the step is to leave them.
        self.plain = self.dtype == torch.float32 and self.first.is_contiguous()
        self.direct = False
        self.exact = self.first.element_size() >= 4

    def now(self) -> Any:
        """The tensor as the module has it. Raises MisuseError if it is not what was bound any more."""
        tensor = self.table.get(self.key)
        if tensor is not self.first and (tensor is None or self.parameter):
            raise MisuseError(f"{self.name} is another parameter than at bind, which the optimiser does not "
                              "know; bind the network once it is complete")
        if tensor.shape != self.shape or tensor.dtype != self.dtype or tensor.device != self.device:
            found = describe(tensor.dtype, tensor.shape, tensor.device)
            bound = describe(self.dtype, self.shape, self.device)
            raise MisuseError(f"{self.name} has become {found}; it was bound as {bound}")
        return tensor


class TorchBinding(Binding):
    """Averaged: parameters with requires_grad and persistent floating-point buffers. Frozen: other
    parameters. Local: other persistent buffers, and whatever a pattern names."""

    def __init__(self, net: Any, local: Local) -> None:
        super().__init__(local)
        self._torch: Any = import_module("torch")
        if not isinstance(net, self._torch.nn.Module):
            raise MisuseError(f"bind takes a torch.nn.Module, not a {type(net).__name__}; NumPy arrays go to "
                              "bind_arrays")
        self._net = net
        self._averaged: list[_Held] = []
        self._frozen: list[_Held] = []
        self._local: list[_Held] = []
        self._sort()
        if not self._averaged:
            raise MisuseError("bind needs at least one parameter with requires_grad to average")
        self._elements = sum(x.first.numel() for x in self._averaged)
        devices = [x.device for x in self._averaged]
        self.device = str(devices[0])
        self._staged = _on_one_accelerator(devices) and all(x.plain for x in self._averaged)
        for held in self._averaged:
            held.direct = held.plain and (self._staged or held.device.type == "cpu")
        self._views: dict[int, list[Any]] = {}
        self._private: Any = None
        self._private_homes: list[Any] = []
        self._after: list[tuple[_Held, int]] = []

    def _sort(self) -> None:
        """Parameters before buffers, in the order of the modules; what is shared counts once."""
        torch = self._torch
        seen: set[int] = set()
        names: list[str] = []
        modules = list(self._net.named_modules())
        tables = [(p, m, m._parameters) for p, m in modules] + [(p, m, m._buffers) for p, m in modules]
        for prefix, module, table in tables:
            for key, tensor in table.items():
                if tensor is None or id(tensor) in seen:
                    continue
                # Such buffers are in no state_dict either: masks and tables that the module computes again.
                if table is module._buffers and key in module._non_persistent_buffers_set:
                    continue
                seen.add(id(tensor))
                held = _Held(f"{prefix}.{key}" if prefix else key, table, key, torch)
                names.append(held.name)
                if self._is_local(held.name):
                    self._local.append(held)
                elif held.parameter and not tensor.requires_grad:
                    self._frozen.append(held)
                elif tensor.is_floating_point() and tensor.layout == torch.strided:
                    self._averaged.append(held)
                elif held.parameter:
                    raise MisuseError(f"{held.name} is {describe(held.dtype, held.shape)}, which cannot be "
                                      f"averaged as float32; local={held.name!r} keeps it with the worker")
                else:
                    self._local.append(held)
        self._check_patterns(names)

    def entries(self) -> list[Entry]:
        def entry(x: _Held, frozen: bool) -> Entry:
            crc = zlib.crc32(tensor_bytes(x.now())) if frozen else 0
            return Entry(x.name, str(x.dtype).split(".")[-1], tuple(x.shape), frozen, crc)

        return [entry(x, False) for x in self._averaged] + [entry(x, True) for x in self._frozen]

    def attach(self, memory: Memory, slot: int) -> None:
        self._memory = memory
        if self._staged:
            device = self._averaged[0].device
            self._flat = self._torch.empty(self._elements, dtype=self._torch.float32, device=device)
            self._homes = self._cut(self._flat)
        else:
            self._private = self._torch.empty(self._elements, dtype=self._torch.float32)
            self._private_homes = self._cut(self._private)
        for held, view in zip(self._averaged, self._views_of(slot)):
            view.copy_(held.now().data)

    def begin(self, source: int, target: int) -> None:
        for held in self._frozen:
            if held.now().requires_grad:
                raise MisuseError(f"{held.name} was frozen at bind and has requires_grad now; what is "
                                  "averaged cannot change during a run")
        self._target = target
        if self._staged:
            self._stage(source)
        else:
            self._memory.copy(source, target)
            self._place(self._views_of(target))

    def finish(self) -> None:
        homes = self._homes if self._staged else self._views_of(self._target)
        after = []
        for held, home in zip(self._averaged, homes):
            tensor = held.now()
            if held.parameter:
                after.append((held, tensor._version))
            values = tensor.data
            if not held.exact:
                # The slot still has what came; what rounding took from it must not be lost.
                home += values.float().to(home.device) - home.to(held.dtype).float()
            elif not held.direct or values.data_ptr() != home.data_ptr() or not values.is_contiguous():
                home.copy_(values)
        if self._staged:
            self._whole(self._target).copy_(self._flat)
        else:
            self._take_buffers_back()
        self._after = after

    def _take_buffers_back(self) -> None:
        """A forward pass after the step moves running statistics, and no version counter shows it."""
        for held, home in zip(self._averaged, self._private_homes):
            if held.direct and not held.parameter:
                tensor = held.now()
                home.copy_(tensor.data)
                tensor.data = home

    def guard(self) -> None:
        for held, version in self._after:
            if held.now()._version != version:
                raise MisuseError(f"{held.name} was changed after step.done(); whatever changes the network "
                                  "belongs before it")

    def show(self, slot: int) -> None:
        if self._staged:
            self._stage(slot)
        else:
            self._private.copy_(self._whole(slot))
            self._place(self._private_homes)
        # Only what happens after the next step.done() can do harm.
        self._after = []

    def scoring(self) -> ContextManager[None]:
        return self._quiet()

    def release(self) -> None:
        for held in self._averaged:
            tensor = held.table.get(held.key)
            if held.direct and tensor is not None:
                tensor.data = tensor.data.clone()
        self._views.clear()
        self._private_homes.clear()
        self._private = None

    @contextlib.contextmanager
    def _quiet(self) -> Iterator[None]:
        modes = [(module, module.training) for module in self._net.modules()]
        self._net.eval()
        try:
            with self._torch.no_grad():
                yield
        finally:
            for module, mode in modes:
                module.training = mode

    def _stage(self, slot: int) -> None:
        self._flat.copy_(self._whole(slot))
        self._place(self._homes)

    def _place(self, homes: list[Any]) -> None:
        for held, home in zip(self._averaged, homes):
            tensor = held.now()
            if held.direct:
                tensor.data = home
            else:
                tensor.data.copy_(home)

    def _cut(self, flat: Any) -> list[Any]:
        """Views of a flat tensor, one for each averaged tensor."""
        pieces = flat.split([x.first.numel() for x in self._averaged])
        return [piece.view(x.shape) for piece, x in zip(pieces, self._averaged)]

    def _views_of(self, slot: int) -> list[Any]:
        """Tensors over the slot, each with its own storage: a copy of the network must not copy all slots."""
        if slot not in self._views:
            views = []
            at = self._memory.offset(slot)
            for held in self._averaged:
                views.append(self._over(at, held.first.numel()).view(held.shape))
                at += 4 * held.first.numel()
            self._views[slot] = views
        return self._views[slot]

    def _whole(self, slot: int) -> Any:
        return self._over(self._memory.offset(slot), self._elements)

    def _over(self, offset: int, elements: int) -> Any:
        if elements == 0:
            return self._torch.empty(0, dtype=self._torch.float32)
        buffer, kind = self._memory.buffer, self._torch.float32
        return self._torch.frombuffer(buffer, dtype=kind, count=elements, offset=offset)

    def _local_values(self) -> dict[str, Any]:
        return {held.name: held.now().data for held in self._local}

    def _set_local_values(self, values: dict[str, Any]) -> None:
        for held in self._local:
            tensor, value = held.now(), values.get(held.name)
            if not isinstance(value, self._torch.Tensor) or value.shape != held.shape:
                raise TrainerError("the state to load has no "
                                   f"{held.name} of {describe(held.dtype, held.shape)}")
            tensor.data.copy_(value)


def _on_one_accelerator(devices: list[Any]) -> bool:
    return len(set(devices)) == 1 and devices[0].type != "cpu"
