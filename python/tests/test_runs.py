"""dybw.read_run on files written by hand and, where DYBW_PROGRAM names the program, on those of a run."""

import json
import os
import subprocess
from pathlib import Path

import pytest

import dybw


def write_run(directory: Path, policies: list) -> None:
    runs = [{"policy": p, "state": "done", "rounds": 2, "test_accuracy": 0.5, "failure": None} for p in policies]
    directory.mkdir(exist_ok=True)
    (directory / "run.json").write_text(json.dumps({"dybw": "0", "config": {"workers": 2}, "runs": runs}))
    for p in policies:
        place = directory / p.replace(":", "-")
        place.mkdir()
        (place / "rounds.jsonl").write_text(
            '{"worker":0,"round":1,"committed":[[1,0.5]],"loss":2.5,"timeout":false}\n'
            '{"worker":1,"round":1,"committed":[],"loss":null,"timeout":true,"extra":7}\n'
            '{"worker":0,"round":2,"comm')


def test_a_run_is_a_mapping_of_its_fields(tmp_path: Path) -> None:
    write_run(tmp_path / "x", ["dtur"])
    run = dybw.read_run(tmp_path / "x")
    assert run.policy == "dtur"
    assert run["test_accuracy"] == 0.5
    assert run["failure"] is None
    assert "rounds" in run and len(run) == 5
    assert run.config == {"workers": 2}
    with pytest.raises(KeyError):
        run["nothing"]


def test_rounds_are_columns_and_half_a_line_is_left_out(tmp_path: Path) -> None:
    write_run(tmp_path / "x", ["dtur"])
    rounds = dybw.read_run(str(tmp_path / "x")).rounds
    assert list(rounds) == ["worker", "round", "committed", "loss", "timeout", "extra"]
    assert rounds.rows == 2
    assert rounds["worker"] == [0, 1]
    assert rounds["loss"] == [2.5, None]
    assert rounds["committed"] == [[[1, 0.5]], []]
    assert rounds["extra"] == [None, 7]


def test_several_policies_are_told_apart(tmp_path: Path) -> None:
    write_run(tmp_path / "x", ["full", "hop:1:3"])
    assert list(dybw.read_runs(tmp_path / "x")) == ["full", "hop:1:3"]
    assert dybw.read_run(tmp_path / "x", policy="hop:1:3").rounds.rows == 2
    with pytest.raises(dybw.RunError, match="several runs.*'full', 'hop:1:3'"):
        dybw.read_run(tmp_path / "x")
    with pytest.raises(dybw.RunError, match="no run of 'dtur'"):
        dybw.read_run(tmp_path / "x", policy="dtur")


def test_what_is_missing_or_damaged_is_said_in_one_line(tmp_path: Path) -> None:
    def line_of(error: pytest.ExceptionInfo) -> str:
        assert "\n" not in str(error.value)
        return str(error.value)

    with pytest.raises(dybw.RunError) as error:
        dybw.read_run(tmp_path)
    assert "run.json is not there; give the directory" in line_of(error)
    write_run(tmp_path / "x", ["dtur"])
    with pytest.raises(dybw.RunError) as error:
        dybw.read_run(tmp_path)
    assert f"read one of {tmp_path / 'x'}" in line_of(error)
    run = dybw.read_run(tmp_path / "x")
    with pytest.raises(dybw.RunError) as error:
        run.evaluations
    assert "evals.jsonl is not there" in line_of(error)
    (tmp_path / "x" / "dtur" / "evals.jsonl").write_text('{"time_s":1}\n[2]\n')
    with pytest.raises(dybw.RunError) as error:
        run.evaluations
    assert "line 2 of " in line_of(error)
    for text in ["", "{}", "[]", '{"config":{},"runs":[1]}', '{"config":{},"runs":[]}']:
        (tmp_path / "x" / "run.json").write_text(text)
        with pytest.raises(dybw.RunError) as error:
            dybw.read_run(tmp_path / "x")
        line_of(error)


def test_columns_become_arrays_of_their_kind(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    write_run(tmp_path / "x", ["dtur"])
    arrays = dybw.read_run(tmp_path / "x").rounds.arrays()
    assert arrays["worker"].dtype == numpy.int64
    assert arrays["timeout"].dtype == bool
    assert arrays["loss"].dtype == numpy.float64
    assert arrays["loss"][0] == 2.5 and numpy.isnan(arrays["loss"][1])
    assert numpy.isnan(arrays["extra"][0])
    assert arrays["committed"].dtype == object and arrays["committed"].shape == (2,)


def test_a_table_becomes_a_data_frame(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    write_run(tmp_path / "x", ["dtur"])
    frame = dybw.read_run(tmp_path / "x").rounds.frame()
    assert list(frame.columns)[:2] == ["worker", "round"]
    assert len(frame) == 2


def test_what_the_program_writes_is_read(tmp_path: Path) -> None:
    program = os.environ.get("DYBW_PROGRAM")
    if not program:
        pytest.skip("DYBW_PROGRAM does not name the program")
    subprocess.run([program, "run", "--clock", "virtual", "--step-time", "const:0.1", "--workers", "3", "--model", "mlp:4",
                    "--policy", "full,static:1", "--rounds", "5", "--out", str(tmp_path / "x"), "--quiet"],
                   check=True, timeout=120, stdout=subprocess.DEVNULL)
    runs = dybw.read_runs(tmp_path / "x")
    assert list(runs) == ["full", "static:1"]
    for run in runs.values():
        assert run.config["workers"] == 3
        assert run["rounds"] == 5
        assert sorted(zip(run.rounds["worker"], run.rounds["round"])) == [(w, k) for w in range(3) for k in range(1, 6)]
        assert run.evaluations["test_accuracy"][-1] == run["test_accuracy"]
    numpy = pytest.importorskip("numpy")
    parameters = runs["full"].parameters()
    assert {name: x.shape for name, x in parameters.items()} == {
        "layers.0.weight": (4, 784), "layers.0.bias": (4,), "layers.1.weight": (10, 4), "layers.1.bias": (10,)}
    whole = numpy.load(runs["full"].directory / "model.npy")
    assert numpy.array_equal(numpy.concatenate([x.ravel() for x in parameters.values()]), whole)
