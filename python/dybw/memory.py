"""The shared memory of parameters: slots of float32 values in a sealed memfd."""

from __future__ import annotations

import mmap
import os

from .wire import VERSIONS, TrainerError


class Memory:
    """Maps the descriptor and closes it. Slots are read and written through `buffer`.

    A forked process does not inherit the mapping: touching parameters there is a segmentation fault.
    """

    def __init__(self, descriptor: int, size: int, stride: int, slots: int, payload: int) -> None:
        """`size` and `stride` in bytes; `payload` is what of a slot the averaged arrays fill.

        Raises TrainerError if the numbers do not fit each other or the memory.
        """
        try:
            if slots == 0 or payload > stride or stride % 4 != 0 or stride * slots > size:
                raise TrainerError(f"dybw offers {slots} slots of {stride} bytes in {size} for {payload} "
                                   f"bytes of parameters; {VERSIONS}")
            if os.fstat(descriptor).st_size < size:
                raise TrainerError("the shared memory is smaller than dybw says")
            self.buffer = mmap.mmap(descriptor, size)
        except OSError as error:
            raise TrainerError(f"the shared memory cannot be mapped ({error})") from error
        finally:
            os.close(descriptor)
        if hasattr(mmap, "MADV_DONTFORK"):
            self.buffer.madvise(mmap.MADV_DONTFORK)
        self._bytes = memoryview(self.buffer)
        self._stride = stride
        self._slots = slots
        self._payload = payload

    def offset(self, slot: int) -> int:
        """Where slot `slot` begins, in bytes. Raises TrainerError if there is none such."""
        if slot >= self._slots:
            raise TrainerError(f"dybw names slot {slot} of {self._slots}; {VERSIONS}")
        return slot * self._stride

    def copy(self, source: int, target: int) -> None:
        """All averaged arrays of slot `source` to slot `target`, in one pass."""
        if source != target:
            self._bytes[self.offset(target) : self.offset(target) + self._payload] = self.read(source)

    def read(self, slot: int) -> memoryview:
        """The bytes of the averaged arrays of a slot, not copied."""
        return self._bytes[self.offset(slot) : self.offset(slot) + self._payload]
