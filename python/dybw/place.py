"""A worker's place in a run: what a script calls. Subclasses know who says what is to be done."""

from __future__ import annotations

import os
import threading
from importlib import import_module
from typing import Any, Callable, Dict, Iterator, Mapping, Sequence, TypeVar, Union, overload

from .binding import Binding, Local
from .binding_arrays import ArrayBinding
from .binding_torch import TorchBinding
from .shard import Shard, labels_of, samples_of
from .wire import MisuseError

_Score = Callable[[], Union[float, Mapping[str, float]]]
_ScoreT = TypeVar("_ScoreT", bound=Callable[[], Any])


class Step:
    """One gradient step: from the parameters that the model has when the loop's body begins."""

    def __init__(self, place: Place, round: int, ticket: int = 0) -> None:
        #: Rounds completed before it; alone, steps.
        self.round = round
        self._place = place
        self._ticket = ticket
        self._finished = False

    def done(self, loss: Any, samples: int) -> None:
        """Hands the parameters over as they are now. To be called once, when the optimiser has made its step.

        `loss` is the mean over the mini-batch, a number or a tensor of one; `samples` the size of the
        mini-batch. Raises MisuseError if it was called before, or too late.
        """
        self._place._own("step.done()")
        if self._finished or self._place._step is not self:
            raise MisuseError("step.done() was called twice, or after its turn of the loop; call it once in "
                              "each turn")
        try:
            value = float(loss.detach() if hasattr(loss, "detach") else loss)
            count = int(samples)
        except (TypeError, ValueError, RuntimeError) as error:
            what = f"step.done() takes loss=, one number, and samples=, a count ({error})"
            raise MisuseError(what) from error
        if count < 0:
            raise MisuseError(f"step.done(): samples={count} is no count")
        self._place._finish(self._ticket, value, count)
        self._finished = True


class Place:
    """A worker's place in a run, made by `join`. All calls belong to the thread that joined."""

    def __init__(self, worker: int, workers: int, seed: int, data: str | None) -> None:
        #: This worker's number, from 0.
        self.worker = worker
        #: How many workers the run has.
        self.workers = workers
        #: The seed of the run, the same for all workers.
        self.seed = seed
        #: The path that --data named, or None.
        self.data = data
        self._process = os.getpid()
        self._thread = threading.get_ident()
        self._device: str | None = None
        self._shards = 0
        self._binding: Binding | None = None
        self._score: _Score | None = None
        self._smaller = {"loss"}
        self._begun = False
        self._serving = False
        self._step: Step | None = None

    def __repr__(self) -> str:
        return f"Place(worker {self.worker} of {self.workers}, seed {self.seed}, data {self.data!r})"

    @property
    def device(self) -> str:
        """Where to compute, for torch: "cuda", of several "cuda:K" with K spread by worker, else "cpu"."""
        if self._device is None:
            try:
                torch: Any = import_module("torch")
                count = torch.cuda.device_count() if torch.cuda.is_available() else 0
            except ImportError:
                count = 0
            self._device = "cpu" if count == 0 else "cuda" if count == 1 else f"cuda:{self.worker % count}"
        return self._device

    def shard(self, dataset: Any, batch: int = 64, labels: Any = None) -> Shard:
        """An endless iterator of mini-batches, at most `batch` of this worker's own rows each.

        `dataset` is a torch Dataset, a tuple of arrays or tensors of equal length, or one of these. `dybw`
        parts it as --partition says; other partitions than iid need a class per sample, in `labels`, else
        taken from the data set's `targets` or `labels`, else from the last array of a tuple if that is one of
        whole numbers.
        """
        self._own("shard()")
        if self._begun:
            raise MisuseError("shard() must come before steps()")
        if batch < 1:
            raise MisuseError(f"shard(): batch={batch} must be at least 1")
        samples = samples_of(dataset)
        rows = self._rows(samples, labels_of(dataset, labels, samples))
        seed = (self.seed << 64) | (self.worker << 32) | self._shards
        self._shards += 1
        return Shard(dataset, rows, batch, seed)

    def bind(self, net: Any, local: Local = None) -> None:
        """Makes the tensors of a torch module those of this worker. Once, when the network is complete.

        Averaged with the other workers: parameters with requires_grad, floating-point buffers (batch-norm
        statistics too). Frozen, the same everywhere: other parameters. Staying with the worker: other
        buffers, and what `local` names. `local` is a mapping from names to objects with state_dict() and
        load_state_dict(), or generators, that are saved with the worker; or a pattern of tensors' names such
        as "*.bn*", or a list of them; a value in the mapping may be patterns as well. Raises MisuseError if a
        pattern fits nothing.
        """
        self._bind(lambda: TorchBinding(net, local))

    def bind_arrays(self, arrays: Mapping[str, Any], local: Local = None) -> None:
        """Makes NumPy arrays those of this worker: floating-point, of any shape, changed in place.

        When a turn of the loop begins, they have the worker's parameters. `local` is that of `bind`.
        """
        self._bind(lambda: ArrayBinding(arrays, local))

    @overload
    def evaluate(self, function: _ScoreT) -> _ScoreT: ...

    @overload
    def evaluate(self, *, smaller: Sequence[str] = ()) -> Callable[[_ScoreT], _ScoreT]: ...

    def evaluate(self, function: Any = None, *, smaller: Sequence[str] = ()) -> Any:
        """Decorates the function that scores the model, called now and then on the mean of all workers.

        It returns numbers by name, or one number, the accuracy. Of those named in `smaller`, and of "loss",
        less is better. A torch module is in its eval mode meanwhile, without gradients.
        """
        self._own("evaluate")
        if isinstance(smaller, str):
            raise MisuseError(f"evaluate(smaller={smaller!r}) must be a list of names")
        self._smaller.update(smaller)

        def register(score: _Score) -> _Score:
            if self._score is not None or self._begun:
                raise MisuseError("one function can be decorated with evaluate, before steps()")
            self._score = score
            return score

        return register if function is None else register(function)

    def steps(self) -> Iterator[Step]:
        """The steps of the run, one a turn of the loop; ends with the run. Each turn calls `step.done()`.

        Raises MisuseError before bind, and inside the loop if `step.done()` is missing.
        """
        self._own("steps()")
        if self._binding is None:
            raise MisuseError("steps() needs a model: call place.bind(net) or place.bind_arrays({..}) first")
        if self._serving:
            raise MisuseError("one loop over place.steps() is under way")
        return self._serve(self._binding)

    def _own(self, call: str) -> None:
        if os.getpid() != self._process:
            raise MisuseError(f"{call} in a forked process; only the one that called dybw.join() takes part")
        if threading.get_ident() != self._thread:
            raise MisuseError(f"{call} in another thread than that which called dybw.join()")

    def _bind(self, make: Callable[[], Binding]) -> None:
        self._own("bind")
        if self._binding is not None:
            raise MisuseError("a model is bound already; bind one, once")
        self._binding = make()

    def _serve(self, binding: Binding) -> Iterator[Step]:
        self._serving = True
        try:
            yield from self._turns(binding)
        finally:
            self._serving = False

    def _turn(self, step: Step) -> Iterator[Step]:
        self._check_done()
        self._step = step
        yield step
        self._check_done()

    def _check_done(self) -> None:
        if self._step is not None and not self._step._finished:
            raise MisuseError("a turn of the loop ended without step.done(loss=.., samples=..); call it in "
                              "each turn, before continue too")
        self._step = None

    def _scores(self, score: _Score) -> dict[str, float]:
        assert self._binding is not None
        with self._binding.scoring():
            found = score()
        scores: Dict[Any, Any] = dict(found) if isinstance(found, Mapping) else {"accuracy": found}
        try:
            return {str(name): float(value) for name, value in scores.items()}
        except (TypeError, ValueError, RuntimeError) as error:
            what = f"the function under evaluate must return numbers by name, or one number ({error})"
            raise MisuseError(what) from error

    def _rows(self, samples: int, labels: list[int] | None) -> Sequence[int]:
        raise NotImplementedError

    def _turns(self, binding: Binding) -> Iterator[Step]:
        raise NotImplementedError

    def _finish(self, ticket: int, loss: float, samples: int) -> None:
        raise NotImplementedError
