"""A worker's own part of a data set, dealt in shuffled mini-batches."""

from __future__ import annotations

import random
import zlib
from importlib import import_module
from typing import Any, Iterator, Sequence

from .wire import MisuseError, numbers


class Shard(Iterator[Any]):
    """An endless iterator of mini-batches over the rows of one worker.

    Each epoch deals every row exactly once, in an order of its own; the last mini-batch of an epoch holds
    what is left. What a mini-batch is depends on the data set: of a tuple of arrays or tensors a tuple of
    their rows, of one array or tensor its rows, of anything else with `[row]` its items joined by torch's
    default_collate.
    """

    def __init__(self, dataset: Any, rows: Sequence[int], batch: int, seed: int) -> None:
        """`rows` are the numbers of this worker's samples in `dataset`; there is at least one."""
        if not rows:
            raise MisuseError("this worker's part of the data set is empty; take fewer workers or more "
                              "samples")
        #: The numbers of this worker's samples.
        self.rows: list[int] = sorted(rows)
        self._dataset = dataset
        self._batch = batch
        self._generator = random.Random(seed)
        self._epoch = 0
        self._begin_epoch()

    @property
    def epoch(self) -> int:
        """Passes over the rows begun so far, minus one."""
        return self._epoch

    def __next__(self) -> Any:
        if self._position >= len(self.rows):
            self._epoch += 1
            self._begin_epoch()
        chosen = self._order[self._position : self._position + self._batch]
        self._position += len(chosen)
        return _take(self._dataset, chosen)

    def state_dict(self) -> dict[str, Any]:
        """Where it is: the next mini-batches after `load_state_dict` of it are those that would come now."""
        return {"rows": self._fingerprint(), "epoch": self._epoch, "position": self._position,
                "generator": self._before_epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes on from there. The state of other rows, such as another worker's, changes nothing."""
        if state["rows"] != self._fingerprint():
            return
        self._generator.setstate(state["generator"])
        self._epoch = state["epoch"]
        self._begin_epoch()
        self._position = state["position"]

    def _begin_epoch(self) -> None:
        self._before_epoch = self._generator.getstate()
        self._order = list(self.rows)
        self._generator.shuffle(self._order)
        self._position = 0

    def _fingerprint(self) -> list[int]:
        return [len(self.rows), zlib.crc32(numbers("I", self.rows))]


def samples_of(dataset: Any) -> int:
    """How many rows there are. Raises MisuseError if arrays have not equally many."""
    parts = dataset if isinstance(dataset, tuple) else (dataset,)
    try:
        counts = [len(part) for part in parts]
    except TypeError as error:
        raise MisuseError(f"a data set needs a length ({error}); shard() takes a torch Dataset, a tuple of "
                          "arrays or one array") from error
    if not counts or len(set(counts)) != 1:
        raise MisuseError(f"the arrays of a data set must be equally long, not {counts}")
    return int(counts[0])


def labels_of(dataset: Any, labels: Any, samples: int) -> list[int] | None:
    """One class per sample, or None where none are known.

    They are those given, else the data set's `targets` or `labels`, else the last array of a tuple if it is
    one of whole numbers, one per row. Raises MisuseError if those given are not one whole number per sample.
    """
    if labels is not None:
        found = _whole_numbers(labels)
        if found is None or len(found) != samples:
            raise MisuseError(f"labels= must be {samples} whole numbers of 32 bits, one per sample")
        return found
    own = getattr(dataset, "targets", None)
    if own is None:
        own = getattr(dataset, "labels", None)
    if own is None and isinstance(dataset, tuple):
        own = dataset[-1]
    found = None if own is None or callable(own) else _whole_numbers(own)
    return found if found is not None and len(found) == samples else None


def _whole_numbers(values: Any) -> list[int] | None:
    if len(getattr(values, "shape", (0,))) != 1:
        return None
    try:
        found = values.tolist() if hasattr(values, "tolist") else list(values)
        numbers("i", found)
    except (TypeError, ValueError, OverflowError):
        return None
    return [int(x) for x in found]


def _take(dataset: Any, rows: list[int]) -> Any:
    if isinstance(dataset, tuple):
        return tuple(_take(part, rows) for part in dataset)
    if hasattr(dataset, "shape") and hasattr(dataset, "dtype"):
        return dataset[rows]
    items = [dataset[row] for row in rows]
    try:
        data: Any = import_module("torch.utils.data")
    except ImportError:
        return items
    return data.default_collate(items)
