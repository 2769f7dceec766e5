"""The frames of docs/trainer-protocol.md: a head of 8 bytes and a body, little-endian, over a Unix socket."""

from __future__ import annotations

import array
import os
import socket
import struct
import sys
from typing import Any, NoReturn, Sequence

PROTOCOL = 1
MAGIC = 0x57425944

HELLO, PLACE, REFUSED, ROWS_WANTED, ROWS, LAYOUT, SLOTS, READY, STEP = range(1, 10)
DONE, EVALUATE, SCORE, SAVE, SAVED, LOAD, LOADED, FAILED, BYE = range(10, 19)

_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30
_HEARD_MAX = {
    PLACE: 64 * _KIB, REFUSED: 64 * _KIB, ROWS: _GIB, SLOTS: 24, STEP: 24, EVALUATE: 4, SAVE: 0, LOAD: _GIB,
    BYE: 4 * _KIB,
}
_SAID_MAX = {
    HELLO: 4 * _KIB, ROWS_WANTED: _GIB, LAYOUT: 16 * _MIB, READY: 4 * _KIB, DONE: 24, SCORE: 64 * _KIB, SAVED: _GIB,
    LOADED: 0, FAILED: 128 * _KIB,
}
_NAMES = {
    ROWS_WANTED: "the labels", LAYOUT: "the list of arrays", SCORE: "the scores", SAVED: "the state to save",
}
_HEAD = struct.Struct("<IHH")
_FAILED_WAIT_S = 5.0

#: What helps when the two sides do not understand each other.
VERSIONS = "use the Python package of the same version as the program"


class TrainerError(RuntimeError):
    """What keeps a trainer from taking part. The text is one line: what, and how to mend it."""

    __module__ = "dybw"  # where scripts find it, and what tracebacks say


class MisuseError(TrainerError):
    """A call at a time, with a value, or from a thread or process that it is not made for."""

    __module__ = "dybw"


class RefusedError(TrainerError):
    """dybw does not want this trainer, for the reason that the text gives."""

    __module__ = "dybw"


def text(value: str, bytes_max: int | None = None) -> bytes:
    """A text as it stands in a body; of one that is too long, the end is left out."""
    data = value.encode("utf-8", "backslashreplace")
    if bytes_max is not None and len(data) > bytes_max:
        data = data[:bytes_max].decode("utf-8", "ignore").encode("utf-8")
    return struct.pack("<I", len(data)) + data


def numbers(code: str, values: Sequence[int]) -> bytes:
    """Whole numbers of 4 bytes each, little-endian; `code` is "i" (signed) or "I".

    Raises OverflowError or TypeError at what is none.
    """
    packed = array.array(code, values)
    if sys.byteorder == "big":
        packed.byteswap()
    return packed.tobytes()


class Fields:
    """Takes the fields of a body one by one. Raises TrainerError where the body ends too early or late."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0

    def take(self, layout: str) -> tuple[Any, ...]:
        """Numbers, in the letters of `struct`."""
        shape = struct.Struct("<" + layout)
        return shape.unpack(self._bytes(shape.size))

    def text(self) -> str:
        (size,) = self.take("I")
        # A path is any bytes; what is not UTF-8 in it comes out again as it was when Python opens the file.
        return self._bytes(size).decode("utf-8", "surrogateescape")

    def indices(self, count: int) -> list[int]:
        """`count` times u32."""
        values = array.array("I", self._bytes(4 * count))
        if sys.byteorder == "big":
            values.byteswap()
        return values.tolist()

    def end(self) -> None:
        if self._at != len(self._body):
            extra = len(self._body) - self._at
            raise TrainerError(f"dybw sent {extra} bytes too many in a message; {VERSIONS}")

    def _bytes(self, size: int) -> bytes:
        if size > len(self._body) - self._at:
            raise TrainerError(f"dybw sent a message that is too short; {VERSIONS}")
        self._at += size
        return self._body[self._at - size : self._at]


class Connection:
    """The trainer's end of the socket. Belongs to one thread of one process.

    When dybw is gone without `bye`, the process ends at once with exit code 1, as the protocol asks; before
    `place` has come, TrainerError is raised instead.
    """

    def __init__(self, path: str) -> None:
        """Raises TrainerError if nobody listens at `path`."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)  # Python sets it to close on exec
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise TrainerError(f"dybw cannot be reached at {path} ({error.strerror or error}); it has ended, "
                               "or DYBW_TRAINER is left over from an earlier run") from error
        self._path = path
        self._placed = False
        #: Why the run is over, once `bye` has come.
        self.farewell: str | None = None
        #: False once nothing can be said any more.
        self.open = True
        self._descriptors: list[int] = []

    def say(self, kind: int, body: bytes = b"") -> None:
        """Sends a message, unless `bye` waits to be heard: then the run does not want it any more."""
        if len(body) > _SAID_MAX[kind]:
            raise TrainerError(f"{_NAMES.get(kind, 'a message')} would be {len(body)} bytes, and at most "
                               f"{_SAID_MAX[kind]} are possible")
        head = _HEAD.pack(len(body), kind, 0)
        try:
            if len(body) < 64 * _KIB:
                self._socket.sendall(head + body)
            else:
                self._socket.sendall(head)
                self._socket.sendall(body)
        except (BrokenPipeError, ConnectionResetError):
            while self.farewell is None:  # dybw may have said it and closed while this process computed
                self.hear()

    def hear(self) -> tuple[int, Fields, bytes]:
        """Waits for the next message: type, fields, and the body as it is. After `bye`, `bye` again."""
        if self.farewell is not None:
            return BYE, Fields(b""), b""
        size, kind, zero = _HEAD.unpack(self._receive(_HEAD.size))
        if kind not in _HEARD_MAX or zero != 0 or size > _HEARD_MAX[kind]:
            self.close()
            raise TrainerError(f"dybw sent a message of type {kind} with {size} bytes, which is unknown; "
                               f"{VERSIONS}")
        body = self._receive(size)
        if kind == PLACE:
            self._placed = True
        elif kind == BYE:
            fields = Fields(body)
            self.farewell = fields.text()
            fields.end()
            self.close()
        return kind, Fields(body), body

    def answer(self, expected: int) -> tuple[Fields, bytes]:
        """The answer to what was said. Raises RefusedError for `refused`, SystemExit for `bye`."""
        kind, fields, body = self.hear()
        if kind == REFUSED:
            self.close()
            raise RefusedError(fields.text())
        if kind == BYE:
            raise SystemExit(f"dybw: the run was over before it began: {self.farewell}")
        if kind != expected:
            self.close()
            raise TrainerError(f"dybw answered with a message of type {kind} where {expected} was due; "
                               f"{VERSIONS}")
        return fields, body

    def descriptor(self) -> int:
        """The descriptor that came with the last message, the caller's. Raises TrainerError if none did."""
        if len(self._descriptors) != 1:
            count = len(self._descriptors)
            raise TrainerError(f"dybw sent {count} descriptors where one was due; {VERSIONS}")
        return self._descriptors.pop()

    def fail(self, body: bytes) -> None:
        """Says `failed`, the last message. Gives up after some seconds: an end must not wait for dybw."""
        if not self.open:
            return
        self.open = False
        try:
            self._socket.settimeout(_FAILED_WAIT_S)
            self._socket.sendall(_HEAD.pack(len(body), FAILED, 0) + body)
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self) -> None:
        self.open = False
        self._socket.close()

    def _receive(self, size: int) -> bytes:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            try:
                # Descriptors travel with the first byte of a head; elsewhere there are none to be received.
                if size == _HEAD.size and len(view) == size:
                    count = self._receive_with_descriptors(view)
                else:
                    count = self._socket.recv_into(view)
            except ConnectionResetError:
                count = 0
            if count == 0:
                self._lost()
            view = view[count:]
        return bytes(data)

    def _receive_with_descriptors(self, view: memoryview) -> int:
        room = socket.CMSG_SPACE(4 * array.array("i").itemsize)
        count, ancillary, _, _ = self._socket.recvmsg_into([view], room, socket.MSG_CMSG_CLOEXEC)
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                values = array.array("i")
                values.frombytes(data[: len(data) - len(data) % values.itemsize])
                self._descriptors.extend(values)
        return count

    def _lost(self) -> NoReturn:
        if not self._placed:
            self.close()
            raise TrainerError(f"whoever listens at {self._path} hung up; it is no dybw, or it ended just "
                               "now")
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError, AttributeError):
                pass
        try:
            os.write(2, b"dybw: the program that started this trainer is gone; so the trainer ends too\n")
        except OSError:
            pass
        os._exit(1)
