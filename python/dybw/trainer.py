"""Training as one worker of a run, or alone: `join`.

    place = dybw.join()
    net = Net().to(place.device)
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    data = place.shard(dataset, batch=64)
    place.bind(net, local={"opt": opt, "data": data})

    for step in place.steps():
        x, y = next(data)
        ...
        step.done(loss=loss, samples=len(y))

docs/bring-your-own-model.md explains it; docs/trainer-protocol.md is what goes over the wire.
"""

from __future__ import annotations

import os
import struct
import sys
from typing import Iterator, Sequence

from . import wire
from .binding import Binding, layout
from .ending import report, report_endings
from .memory import Memory
from .place import Place, Step
from .state import pack, unpack
from .version import __version__
from .wire import Connection, MisuseError, TrainerError, text

__all__ = ["join"]

_CAN_EVALUATE, _CAN_SAVE = 1, 2


class _LedPlace(Place):
    """A place in a run of `dybw`, which says over the connection what is to be done."""

    def __init__(self, path: str, worker: int) -> None:
        connection = Connection(path)
        hello = struct.pack("<IIiI", wire.MAGIC, wire.PROTOCOL, worker, os.getpid())
        connection.say(wire.HELLO, hello + text(f"dybw-python {__version__}"))
        fields, _ = connection.answer(wire.PLACE)
        protocol, worker, workers, seed = fields.take("IIIQ")
        version = fields.text()
        if protocol != wire.PROTOCOL:
            connection.close()
            raise TrainerError(f"dybw {version} speaks protocol {protocol} of trainers, the Python package "
                               f"{__version__} speaks {wire.PROTOCOL}; use the package of the same version")
        data = fields.text()
        fields.end()
        super().__init__(worker, workers, seed, data or None)
        self._connection = connection
        report_endings(connection)

    def _rows(self, samples: int, labels: list[int] | None) -> Sequence[int]:
        body = struct.pack("<QI", samples, labels is not None) + wire.numbers("i", labels or [])
        self._connection.say(wire.ROWS_WANTED, body)
        fields, _ = self._connection.answer(wire.ROWS)
        (count,) = fields.take("Q")
        rows = fields.indices(count)
        fields.end()
        if rows and max(rows) >= samples:
            raise TrainerError(f"dybw gave this worker row {max(rows)} of {samples}")
        return rows

    def _turns(self, binding: Binding) -> Iterator[Step]:
        try:
            if not self._begun:
                self._begun = True
                self._present(binding)
            while True:
                kind, fields, body = self._connection.hear()
                if kind == wire.BYE:
                    binding.release()
                    return
                binding.guard()
                if kind == wire.STEP:
                    ticket, rounds, source, target = fields.take("QQII")
                    fields.end()
                    binding.begin(source, target)
                    yield from self._turn(Step(self, rounds, ticket))
                else:
                    self._answer(binding, kind, fields, body)
        except GeneratorExit:
            raise
        except BaseException as error:
            report(self._connection, error)
            raise

    def _present(self, binding: Binding) -> None:
        entries = binding.entries()
        abilities = _CAN_SAVE | (_CAN_EVALUATE if self._score is not None else 0)
        self._connection.say(wire.LAYOUT, layout(entries, abilities))
        fields, _ = self._connection.answer(wire.SLOTS)
        size, stride, slots, start = fields.take("QQII")
        fields.end()
        payload = 4 * sum(x.elements for x in entries if not x.frozen)
        memory = Memory(self._connection.descriptor(), size, stride, slots, payload)
        binding.attach(memory, start)
        self._connection.say(wire.READY, text(binding.device))

    def _answer(self, binding: Binding, kind: int, fields: wire.Fields, body: bytes) -> None:
        if kind == wire.EVALUATE and self._score is not None:
            (slot,) = fields.take("I")
            fields.end()
            binding.show(slot)
            scores = self._scores(self._score)
            parts = [text(x) + struct.pack("<dB", value, x in self._smaller) for x, value in scores.items()]
            self._connection.say(wire.SCORE, struct.pack("<I", len(parts)) + b"".join(parts))
        elif kind == wire.SAVE:
            self._connection.say(wire.SAVED, pack(binding.save()))
        elif kind == wire.LOAD:
            binding.load(unpack(body))
            self._connection.say(wire.LOADED)
        else:
            self._connection.close()
            raise TrainerError(f"dybw asked for something (type {kind}) that this trainer cannot do")

    def _finish(self, ticket: int, loss: float, samples: int) -> None:
        assert self._binding is not None
        self._binding.finish()
        self._connection.say(wire.DONE, struct.pack("<QdQ", ticket, loss, samples))


class _AlonePlace(Place):
    """A place without a run: the script trains by itself on all rows."""

    _LOSS_STEPS = 100
    _SCORE_STEPS = 1000

    def __init__(self, seed: int, data: str | None, steps: int | None) -> None:
        super().__init__(0, 1, seed, data)
        self._steps_max = steps
        self._losses: list[float] = []

    def _rows(self, samples: int, labels: list[int] | None) -> Sequence[int]:
        return range(samples)

    def _turns(self, binding: Binding) -> Iterator[Step]:
        self._begun = True
        number = 0
        while self._steps_max is None or number < self._steps_max:
            yield from self._turn(Step(self, number))
            number += 1
            last = number == self._steps_max
            if number % self._LOSS_STEPS == 0 or last:
                mean = sum(self._losses) / len(self._losses)
                print(f"dybw: step {number}: loss {mean:.4g}", file=sys.stderr)
                self._losses.clear()
            if self._score is not None and (number % self._SCORE_STEPS == 0 or last):
                scores = ", ".join(f"{name} {value:.4g}" for name, value in self._scores(self._score).items())
                print(f"dybw: step {number}: {scores}", file=sys.stderr)

    def _finish(self, ticket: int, loss: float, samples: int) -> None:
        self._losses.append(loss)


_joined = False
_place: Place | None = None
_forked = False


def join(steps: int | None = None) -> Place:
    """Takes this process's place in the run that started it; to be called once, by the main program.

    Without a run (DYBW_TRAINER is not set) the script trains alone: worker 0 of 1, all rows, for `steps`
    steps or for ever, seed 1, no data path; DYBW_STEPS, DYBW_SEED and DYBW_DATA in the environment say
    otherwise. It then prints the mean loss every 100 steps and scores every 1,000 and at the end, on standard
    error.

    Raises RefusedError if dybw does not want this trainer, MisuseError at the second call, and TrainerError
    if dybw cannot be reached or speaks another version of the protocol.
    """
    global _joined, _place
    if _forked:
        raise MisuseError("dybw.join() in a forked process; only the one that was started takes part")
    if _joined:
        raise MisuseError("dybw.join() was called before in this process; call it once and pass the place on")
    # What this process starts must not take part in its name.
    path = os.environ.pop("DYBW_TRAINER", None)
    worker = os.environ.pop("DYBW_WORKER", "-1")
    _joined = True
    if path is not None:
        _place = _LedPlace(path, _whole("DYBW_WORKER", worker, -1, 2**31 - 1))
    else:
        if _is_child_of_multiprocessing():
            raise MisuseError("dybw.join() in a child of multiprocessing, which imports the script once "
                              "more; put the script's own part under if __name__ == '__main__':")
        seed = _whole("DYBW_SEED", os.environ.get("DYBW_SEED", "1"), 0, 2**64 - 1)
        if "DYBW_STEPS" in os.environ:
            steps = _whole("DYBW_STEPS", os.environ["DYBW_STEPS"], 0, 2**63)
        _place = _AlonePlace(seed, os.environ.get("DYBW_DATA") or None, steps)
    os.register_at_fork(after_in_child=_forget)
    return _place


def _is_child_of_multiprocessing() -> bool:
    import multiprocessing

    # While such a child imports the script, only this attribute tells.
    inheriting = getattr(multiprocessing.current_process(), "_inheriting", False)
    return inheriting or multiprocessing.parent_process() is not None


def _whole(name: str, value: str, least: int, most: int) -> int:
    try:
        number = int(value)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise TrainerError(f"{name}={value} in the environment must be a whole number from {least} to {most}")
    return number


def _forget() -> None:
    global _forked
    _forked = True
    if isinstance(_place, _LedPlace):
        _place._connection.close()
