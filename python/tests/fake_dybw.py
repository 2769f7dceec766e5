"""A `dybw` played by the tests: frames written by hand from docs/trainer-protocol.md, independently of the
package."""

import array
import fcntl
import mmap
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import dybw
from dybw.memory import Memory

PACKAGE = Path(dybw.__file__).parent.parent
LIMIT_S = 30
HELLO, PLACE, REFUSED, ROWS_WANTED, ROWS, LAYOUT, SLOTS, READY, STEP = range(1, 10)
DONE, EVALUATE, SCORE, SAVE, SAVED, LOAD, LOADED, FAILED, BYE = range(10, 19)


def text(value: str) -> bytes:
    return struct.pack("<I", len(value.encode())) + value.encode()


def texts(body: bytes) -> list:
    found = []
    while body:
        (size,) = struct.unpack_from("<I", body)
        found.append(body[4 : 4 + size].decode())
        body = body[4 + size :]
    return found


def sealed_memory(size: int) -> int:
    descriptor = os.memfd_create("parameters", os.MFD_ALLOW_SEALING)
    os.ftruncate(descriptor, size)
    f_add_seals, seal_seal, seal_shrink, seal_grow = 1033, 1, 2, 4
    fcntl.fcntl(descriptor, f_add_seals, seal_seal | seal_shrink | seal_grow)
    return descriptor


class FakeDybw:
    """Starts a script with the environment of a trainer, and talks to it."""

    def __init__(self, script: str, worker: str = "0", **environment: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dybw-"))  # the path of a socket has 107 bytes at most
        (self.folder / "train.py").write_text(script)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self.folder / "socket"))
        listener.listen()
        listener.settimeout(LIMIT_S)
        self.process = subprocess.Popen(
            [sys.executable, "train.py"], cwd=self.folder, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(PACKAGE), "OMP_NUM_THREADS": "1", **environment,
                 "DYBW_TRAINER": str(self.folder / "socket"), "DYBW_WORKER": worker})
        try:
            self.peer, _ = listener.accept()
        except socket.timeout:
            self.process.kill()
            raise AssertionError(self.process.communicate()) from None
        listener.close()
        self.peer.settimeout(LIMIT_S)

    def __enter__(self) -> "FakeDybw":
        return self

    def __exit__(self, *_: object) -> None:
        self.peer.close()
        self.process.kill()
        self.process.communicate()
        shutil.rmtree(self.folder)

    def hear(self, expected: int) -> bytes:
        size, kind, zero = struct.unpack("<IHH", self.receive(8))
        body = self.receive(size)
        assert (kind, zero) == (expected, 0), body
        return body

    def receive(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            piece = self.peer.recv(size - len(data))
            assert piece, "the trainer hung up: " + self.process.communicate(timeout=LIMIT_S)[1]
            data += piece
        return data

    def say(self, kind: int, body: bytes = b"", descriptor: int = -1) -> None:
        frame = struct.pack("<IHH", len(body), kind, 0) + body
        if descriptor < 0:
            self.peer.sendall(frame)
        else:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
            assert self.peer.sendmsg([frame], rights) == len(frame)

    def place(self, data: str = "", workers: int = 1, seed: int = 1) -> bytes:
        hello = self.hear(HELLO)
        (worker,) = struct.unpack_from("<i", hello, 8)
        self.say(PLACE, struct.pack("<IIIQ", 1, max(worker, 0), workers, seed) + text("9.9") + text(data))
        return hello

    def rows(self, rows: list) -> tuple:
        """Answers with these; returns what was wanted, (samples, labels or None)."""
        wanted = self.hear(ROWS_WANTED)
        samples, labelled = struct.unpack_from("<QI", wanted)
        labels = list(struct.unpack(f"<{samples}i", wanted[12:])) if labelled else None
        assert labelled or len(wanted) == 12
        self.say(ROWS, struct.pack(f"<Q{len(rows)}I", len(rows), *rows))
        return samples, labels

    def slots(self, slots: int = 5) -> list:
        """Answers `layout`, waits for `ready`, and returns the arrays: (name, type, frozen, crc, shape)."""
        body = self.hear(LAYOUT)
        self.abilities, count = struct.unpack_from("<II", body)
        at, found = 8, []
        for _ in range(count):
            pair = []
            for _ in range(2):
                (size,) = struct.unpack_from("<I", body, at)
                pair.append(body[at + 4 : at + 4 + size].decode())
                at += 4 + size
            frozen, crc, dimensions = struct.unpack_from("<BII", body, at)
            shape = struct.unpack_from(f"<{dimensions}Q", body, at + 9)
            at += 9 + 8 * dimensions
            found.append((*pair, frozen, crc, list(shape)))
        assert at == len(body)
        self.elements = 0
        for _, _, frozen, _, shape in found:
            size = 1
            for extent in shape:
                size *= extent
            self.elements += 0 if frozen else size
        self.stride = 4 * self.elements + 64
        descriptor = sealed_memory(slots * self.stride)
        self.memory = mmap.mmap(descriptor, slots * self.stride)
        self.say(SLOTS, struct.pack("<QQII", slots * self.stride, self.stride, slots, 1), descriptor)
        os.close(descriptor)
        assert self.hear(READY) == struct.pack("<I", 3) + b"cpu"
        return found

    def read(self, slot: int) -> list:
        return list(struct.unpack_from(f"<{self.elements}f", self.memory, slot * self.stride))

    def write(self, slot: int, values: list) -> None:
        struct.pack_into(f"<{self.elements}f", self.memory, slot * self.stride, *values)

    def ask_step(self, source: int, target: int, number: int = 0) -> None:
        self.say(STEP, struct.pack("<QQII", 1000 + number, number, source, target))

    def step(self, source: int, target: int, number: int = 0) -> tuple:
        """One step; returns loss and samples. Checks that the trainer wrote into the slot named and nowhere
        else."""
        before = bytes(self.memory)
        self.ask_step(source, target, number)
        ticket, loss, samples = struct.unpack("<QdQ", self.hear(DONE))
        assert ticket == 1000 + number
        after = bytes(self.memory)
        own = slice(target * self.stride, target * self.stride + 4 * self.elements)
        assert before[: own.start] == after[: own.start] and before[own.stop :] == after[own.stop :]
        return loss, samples

    def scores(self, slot: int) -> dict:
        before = bytes(self.memory)
        self.say(EVALUATE, struct.pack("<I", slot))
        body = self.hear(SCORE)
        assert bytes(self.memory) == before
        (count,) = struct.unpack_from("<I", body)
        at, found = 4, {}
        for _ in range(count):
            (size,) = struct.unpack_from("<I", body, at)
            name = body[at + 4 : at + 4 + size].decode()
            found[name] = struct.unpack_from("<dB", body, at + 4 + size)
            at += 4 + size + 9
        assert at == len(body)
        return found

    def bye(self) -> str:
        """Ends the run; returns what the script printed."""
        self.say(BYE, text("enough rounds"))
        return self.ended(0)[0]

    def ended(self, code: int) -> tuple:
        out, error = self.process.communicate(timeout=LIMIT_S)
        assert self.process.returncode == code, error
        return out, error

    def failed(self) -> list:
        """The four texts of `failed`, after which nothing comes."""
        found = texts(self.hear(FAILED))
        assert self.peer.recv(1) == b""
        return found


def memory_of(*slots: list) -> Memory:
    size = 4 * len(slots[0])
    descriptor = sealed_memory(size * len(slots))
    os.write(descriptor, b"".join(struct.pack(f"<{len(s)}f", *s) for s in slots))
    return Memory(descriptor, size * len(slots), size, len(slots), size)


def values_in(memory: Memory, slot: int) -> list:
    return memory.read(slot).cast("f").tolist()
