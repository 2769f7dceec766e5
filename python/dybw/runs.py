"""What `dybw run --out DIR` wrote, as Python values.

Needs nothing but Python; `Table.arrays` and `Run.parameters` need NumPy, `Table.frame` needs pandas.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Iterator, Mapping, Union

if TYPE_CHECKING:
    import pandas
    from numpy.typing import NDArray

__all__ = ["Run", "RunError", "Table", "read_run", "read_runs"]

_Place = Union[str, Path]


class RunError(ValueError):
    """Files that are missing, or not what a run writes. The text is one line: what, where, how to mend it."""


class Table(Mapping[str, "list[Any]"]):
    """Named columns of equal length: a mapping from a column's name to its values, one per line of a file.

    A value that does not exist is None. Columns are those of all lines, in the order in which they first occur.
    """

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self._columns = columns

    def __getitem__(self, name: str) -> list[Any]:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        """How many columns there are; `rows` counts lines."""
        return len(self._columns)

    @property
    def rows(self) -> int:
        """How many values a column has."""
        return len(next(iter(self._columns.values()), []))

    def __repr__(self) -> str:
        return f"Table({self.rows} rows: {', '.join(self._columns)})"

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Columns as NumPy arrays, [rows]: int64, bool or float64, in which NaN stands for None.

        What is neither, such as `committed`, becomes an array of objects.
        """
        import numpy

        def array(values: list[Any]) -> NDArray[Any]:
            kinds = {type(x) for x in values if x is not None}
            if kinds and kinds <= {bool} and None not in values:
                return numpy.array(values, dtype=bool)
            if kinds and kinds <= {int} and None not in values:
                return numpy.array(values, dtype=numpy.int64)
            if kinds <= {int, float}:
                return numpy.array([float("nan") if x is None else x for x in values], dtype=numpy.float64)
            objects = numpy.empty(len(values), dtype=object)
            objects[:] = values
            return objects

        return {name: array(values) for name, values in self._columns.items()}

    def frame(self) -> pandas.DataFrame:
        """The table as a pandas data frame."""
        import pandas

        return pandas.DataFrame(self._columns)


class Run(Mapping[str, Any]):
    """One policy's run: a mapping of the fields that `run.json` has of it (docs/configuration.md lists them).

    Files are read when they are first asked for, and then kept. A run may still be going on; what it has written by
    then is there.
    """

    def __init__(self, directory: Path, fields: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        self._fields = dict(fields)
        #: The options of the run, by their names on the command line.
        self.config = dict(config)
        #: Where the files of this policy are.
        self.directory = directory / str(fields["policy"]).replace(":", "-")
        self._tables: dict[str, Table] = {}

    def __getitem__(self, field: str) -> Any:
        return self._fields[field]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Run({self.policy}, {self._fields.get('state')}, {self.directory})"

    @property
    def policy(self) -> str:
        return str(self._fields["policy"])

    @property
    def rounds(self) -> Table:
        """`rounds.jsonl`, a row per worker and round.

        Columns: worker, round, start_s, compute_s, wait_s, accepted, committed (a list of [neighbour, weight]),
        backup_workers, loss, gradients (local steps), timeout. Times in seconds.
        """
        return self._table("rounds.jsonl")

    @property
    def evaluations(self) -> Table:
        """`evals.jsonl`, a row per evaluation of the mean of all workers; times in seconds."""
        return self._table("evals.jsonl")

    def parameters(self) -> dict[str, NDArray[Any]]:
        """`model.npz`: the mean of all workers at the end as named float32 arrays. Needs NumPy."""
        import numpy

        with numpy.load(self._file("model.npz")) as arrays:
            return {name: arrays[name] for name in arrays.files}

    def _file(self, name: str) -> Path:
        file = self.directory / name
        if not file.is_file():
            raise RunError(f"{file} is not there; it is written by a run with --out that has come so far")
        return file

    def _table(self, name: str) -> Table:
        if name not in self._tables:
            self._tables[name] = _read_lines(self._file(name))
        return self._tables[name]


def read_runs(directory: _Place) -> dict[str, Run]:
    """All runs in a directory that `dybw run --out DIR` wrote, by their policies.

    Raises RunError if there are none.
    """
    directory = Path(directory)
    file = directory / "run.json"
    if not file.is_file():
        below = sorted(str(x.parent) for x in directory.glob("*/run.json"))[:3] if directory.is_dir() else []
        hint = f"read one of {', '.join(below)}" if below else "give the directory that dybw run --out DIR wrote"
        raise RunError(f"{file} is not there; {hint}")
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        runs = {run["policy"]: Run(directory, run, document["config"]) for run in document["runs"]}
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file} is not what dybw writes ({error}); give the directory of a run") from error
    if not runs:
        raise RunError(f"{file} holds no runs yet; wait for the first seconds of the run to pass")
    return runs


def read_run(directory: _Place, policy: str | None = None) -> Run:
    """One run from a directory that `dybw run --out DIR` wrote.

    `policy` says which, as it was given to --policy; needed if there are several. Raises RunError if there is none.
    """
    runs = read_runs(directory)
    if policy is None and len(runs) == 1:
        return next(iter(runs.values()))
    if policy not in runs:
        what = "there are several runs" if policy is None else f"there is no run of {policy!r}"
        raise RunError(f"{what} in {directory}; give policy= one of {', '.join(map(repr, runs))}")
    return runs[policy]


def _read_lines(file: Path) -> Table:
    """A file of one JSON object per line. Half a line at the end, of a run that is going on, is left out."""
    columns: dict[str, list[Any]] = {}
    rows = 0
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.endswith("\n"):
                break
            try:
                row = json.loads(line)
                items = row.items()
            except (ValueError, AttributeError) as error:
                raise RunError(f"line {number} of {file} is no JSON object ({error}); the file is damaged") from error
            for name, value in items:
                column = columns.setdefault(name, [])
                column.extend([None] * (rows - len(column)))
                column.append(value)
            rows += 1
    for column in columns.values():
        column.extend([None] * (rows - len(column)))
    return Table(columns)
