"""dybw, decentralised training with dynamic backup workers, from Python.

So far: what runs wrote.

    >>> import dybw
    >>> run = dybw.read_run("runs/2026-11-28-1", policy="dtur")
    >>> run["test_accuracy"]
    0.9181
    >>> run.rounds["wait_s"][:3]
    [0.0281, 0.0003, 0.0112]
    >>> run.evaluations.frame().plot("time_s", "test_accuracy")
"""

from .runs import Run, RunError, Table, read_run, read_runs

__all__ = ["Run", "RunError", "Table", "read_run", "read_runs"]
