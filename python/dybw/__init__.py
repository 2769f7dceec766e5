"""dybw, decentralised training with dynamic backup workers, from Python.

Read what runs wrote:

    >>> import dybw
    >>> run = dybw.read_run("runs/2026-11-28-1", policy="dtur")
    >>> run["test_accuracy"]
    0.9181
    >>> run.rounds["wait_s"][:3]
    [0.0281, 0.0003, 0.0112]
    >>> run.evaluations.frame().plot("time_s", "test_accuracy")

Train a model of your own as a worker of a run, from `place = dybw.join()` on: see `dybw.join`.
"""

from .place import Place, Step
from .runs import Run, RunError, Table, read_run, read_runs
from .trainer import join
from .version import __version__
from .wire import MisuseError, RefusedError, TrainerError

__all__ = [
    "MisuseError", "Place", "RefusedError", "Run", "RunError", "Step", "Table", "TrainerError", "__version__",
    "join", "read_run", "read_runs",
]
