"""dybw.join and what follows it, against a `dybw` played by the test, with NumPy.

Scripts run as processes of their own, as they would; bindings, shards and states also directly.
"""

import json
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from fake_dybw import (BYE, DONE, EVALUATE, HELLO, LAYOUT, LIMIT_S, LOAD, LOADED, PACKAGE, PLACE, REFUSED,
                       SAVE, SAVED, STEP, FakeDybw, memory_of, sealed_memory, text, texts, values_in)

import dybw
from dybw.binding_arrays import ArrayBinding
from dybw.memory import Memory
from dybw.shard import Shard, labels_of, samples_of
from dybw.state import pack, unpack
from dybw.wire import MisuseError, TrainerError

NUMPY = """
import dybw, json, os, sys
import numpy as np
place = dybw.join()
left = sorted(k for k in os.environ if "DYBW_T" in k or "DYBW_W" in k)
print(json.dumps([place.worker, place.workers, place.seed, place.data, left]))
w = np.array([[1.0, 2.0], [3.0, 4.0]])
b = np.array([5.0], dtype=np.float32)
count = np.zeros(1, dtype=np.int64)
data = place.shard((np.arange(40.0), np.arange(40) % 4), batch=3)
place.bind_arrays({"w": w, "b": b, "count": count}, local={"data": data, "own": ["cou*"]})

@place.evaluate(smaller=["perplexity"])
def score():
    return {"accuracy": float(w.sum()), "perplexity": 2, "loss": 3.0}

for step in place.steps():
    x, y = next(data)
    w -= 0.5
    b[0] += step.round
    count += 1
    step.done(loss=x.sum(), samples=len(y))
print(json.dumps([w.tolist(), b.tolist(), count.tolist()]))
"""


def test_a_numpy_trainer_steps_evaluates_saves_loads_and_ends() -> None:
    rows = [39, 3, 7, 11, 15]
    with FakeDybw(NUMPY, worker="2") as run:
        hello = run.place("/data/here", workers=4, seed=77)
        assert struct.unpack_from("<IIiI", hello) == (0x57425944, 1, 2, run.process.pid)
        assert texts(hello[16:]) == [f"dybw-python {dybw.__version__}"]
        assert run.rows(rows) == (40, [i % 4 for i in range(40)])
        assert run.slots() == [("w", "float64", 0, 0, [2, 2]), ("b", "float32", 0, 0, [1])]
        assert run.abilities == 3
        assert run.read(1) == [1, 2, 3, 4, 5]
        sums = [run.step(1, 2, number=0), run.step(2, 0, number=1)]
        assert run.read(2) == [0.5, 1.5, 2.5, 3.5, 5]
        assert run.read(0) == [0, 1, 2, 3, 6]
        assert [samples for _, samples in sums] == [3, 2]
        assert sum(loss for loss, _ in sums) == sum(rows)
        run.write(3, [10, 10, 10, 10, 1])
        assert run.scores(3) == {"accuracy": (40, 0), "perplexity": (2, 1), "loss": (3, 1)}
        run.say(SAVE)
        saved = run.hear(SAVED)
        later = [run.step(0, 2, number=i) for i in (2, 3, 4, 5)]
        run.say(LOAD, saved)
        assert run.hear(LOADED) == b""
        assert [run.step(0, 2, number=i) for i in (2, 3, 4, 5)] == later
        first, last = map(json.loads, run.bye().splitlines())
        assert first == [2, 4, 77, "/data/here", []]
        assert last[2] == [6]


def run_alone(script: str, environment: dict) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=environment, timeout=LIMIT_S, capture_output=True, text=True)


def test_the_same_script_trains_alone() -> None:
    steps = 7 * 14  # seven epochs of 40 rows
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "DYBW_SEED": "5", "DYBW_DATA": "there",
                   "DYBW_STEPS": str(steps)}
    done = run_alone(NUMPY, environment)
    assert done.returncode == 0, done.stderr
    first, last = map(json.loads, done.stdout.splitlines())
    assert first == [0, 1, 5, "there", []]
    assert last == [[[-48, -47], [-46, -45]], [5 + sum(range(steps))], [steps]]
    assert done.stderr.splitlines() == [f"dybw: step 98: loss {7 * sum(range(40)) / steps:.4g}",
                                        "dybw: step 98: accuracy -186, perplexity 2, loss 3"]


SMALL = """
import dybw, os, sys
import numpy as np
place = dybw.join()
w = np.zeros(2)
{before}
place.bind_arrays({{"w": w}})
for step in place.steps():
    w += 1
    {body}
    step.done(loss=0.0, samples=1)
{after}
"""


def small(body: str = "", before: str = "", after: str = "", **options: str) -> FakeDybw:
    return FakeDybw(SMALL.format(body=body or "pass", before=before, after=after), **options)


def test_exceptions_are_reported_and_leave_by_their_own_names() -> None:
    with small(before="import json\nclass OddError(Exception): pass",
               body="if step.round == 1: raise OddError('no luck, ' + 'x' * 200000)") as run:
        run.place()
        run.slots()
        run.step(1, 2, number=0)
        run.ask_step(2, 3, number=1)
        kind, message, place, trace = run.failed()
        assert kind == "OddError" and message.startswith("no luck, xx") and place == "train.py:11"
        assert len(trace.encode()) == 64 << 10
        assert "OddError: no luck" in run.ended(1)[1]
    with small(before="import json; json.loads('{')") as run:
        run.place()
        kind, message, place, trace = run.failed()
        assert (kind, place) == ("JSONDecodeError", "train.py:6")
        assert trace.startswith("Traceback") and message in trace
        assert "JSONDecodeError" in run.ended(1)[1]
    with small(before="@place.evaluate\ndef score():\n  return {}['gone']") as run:
        run.place()
        run.slots()
        run.say(EVALUATE, struct.pack("<I", 1))
        assert run.failed()[:3] == ["KeyError", "'gone'", "train.py:8"]
        run.ended(1)
    # A library has put its own hook before ours.
    with small(before="sys.excepthook = lambda *a: None", body="1 / 0") as run:
        run.place()
        run.slots()
        run.ask_step(1, 2)
        assert run.failed()[:3] == ["ZeroDivisionError", "division by zero", "train.py:10"]
        run.ended(1)


@pytest.mark.parametrize("body, code", [("break", 0), ("sys.exit(0)", 0), ("sys.exit(3)", 3)])
def test_an_end_before_the_run_is_a_failure(body: str, code: int) -> None:
    with small(body=body) as run:
        run.place()
        run.slots()
        run.ask_step(1, 2)
        kind, message, place, _ = run.failed()
        assert (kind, message, place) == ("SystemExit", "the script ended before the run did", "")
        run.ended(code)


@pytest.mark.parametrize("before, body, words", [
    ("", "continue", "ended without step.done"),
    ("", "step.done(loss=0, samples=1)", "step.done.. was called twice"),
    ("", "step.done(loss=[1, 2], samples=1)", "loss=, one number"),
    ("", "place.bind_arrays({})", "bound already"),
    ("", "dybw.join()", "called before in this process"),
    ("", "next(place.steps())", "is under way"),
    ("", "w.resize(3, refcheck=False)", r"w has become float64 \[3\]; it was bound as float64 \[2\]"),
    ("", "place.shard((w, w))", "must come before steps"),
    ("", "place.evaluate(lambda: 1)", "before steps"),
    ("place.steps()", "", "needs a model"),
    ("place.shard((w, np.zeros(3)))", "", r"equally long, not \[2, 3\]"),
    ("import threading\ndef run():\n  try: place.shard(w)\n  except Exception as e: place.error = e\n"
     "t = threading.Thread(target=run); t.start(); t.join(); raise place.error", "", "another thread"),
])
def test_misuse_raises(before: str, body: str, words: str) -> None:
    with small(body=body, before=before) as run:
        run.place()
        if body:
            run.slots()
            run.ask_step(1, 2)
            if "done(loss=0," in body:
                run.hear(DONE)
        kind, message, _, _ = run.failed()
        assert kind == "MisuseError"
        assert re.search(words, message), message
        assert "\n" not in message
        run.ended(1)


def test_a_forked_child_does_not_take_part() -> None:
    child = """
    child = os.fork()
    if child == 0:
        try: step.done(loss=0, samples=1)
        except dybw.MisuseError as error: print(error, flush=True)
        try: dybw.join()
        except dybw.MisuseError as error: print(error, flush=True)
        sys.exit(0)
    os.waitpid(child, 0)
    print(os.system(f"test -e /proc/self/fd/{place._connection._socket.fileno()}") != 0, flush=True)
"""
    with small(body=child.strip()) as run:
        run.place()
        run.slots()
        run.step(1, 2)
        assert run.read(2) == [1, 1]
        first, second, closed = run.bye().splitlines()
        assert first.startswith("step.done() in a forked process")
        assert second.startswith("dybw.join() in a forked process")
        assert closed == "True"


def test_a_child_of_multiprocessing_does_not_train_alone() -> None:
    script = """
import dybw, multiprocessing
if __name__ != "__main__":
    try: dybw.join()
    except dybw.MisuseError as error: print(error, flush=True)
def nothing(): pass
if __name__ == "__main__":
    p = multiprocessing.get_context("spawn").Process(target=nothing)
    p.start(); p.join()
"""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "train.py").write_text(script)
        done = subprocess.run([sys.executable, "train.py"], cwd=folder, timeout=LIMIT_S, capture_output=True,
                              text=True, env={**os.environ, "PYTHONPATH": str(PACKAGE)})
    assert done.stdout.startswith("dybw.join() in a child of multiprocessing")


def test_a_trainer_that_others_started_takes_any_place() -> None:
    with FakeDybw("import os; del os.environ['DYBW_WORKER']\nimport dybw; print(dybw.join().worker)") as run:
        assert struct.unpack_from("<i", run.place(), 8) == (-1,)
        assert run.failed()[1] == "the script ended before the run did"
        assert run.ended(0)[0] == "0\n"


def test_the_package_has_the_version_that_its_project_file_says() -> None:
    assert f'version = "{dybw.__version__}"' in (PACKAGE / "pyproject.toml").read_text()


def test_a_refusal_is_raised_with_its_text() -> None:
    with small() as run:
        run.hear(HELLO)
        run.say(REFUSED, text("all workers have trainers"))
        assert "dybw.RefusedError: all workers have trainers\n" in run.ended(1)[1]
    with small() as run:
        run.place()
        run.hear(LAYOUT)
        run.say(REFUSED, text("w has shape [2], and [3] in worker 1"))
        assert "RefusedError: w has shape [2], and [3] in worker 1\n" in run.ended(1)[1]


def test_another_protocol_or_no_dybw_is_named() -> None:
    with small() as run:
        run.hear(HELLO)
        run.say(PLACE, struct.pack("<IIIQ", 2, 0, 1, 1) + text("9.9") + text(""))
        assert "dybw 9.9 speaks protocol 2 of trainers" in run.ended(1)[1]
    with small() as run:
        run.hear(HELLO)
        run.say(99, b"hello")
        assert "TrainerError: dybw sent a message of type 99" in run.ended(1)[1]
    with small() as run:
        run.hear(HELLO)
        run.peer.close()
        assert "hung up" in run.ended(1)[1]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "DYBW_TRAINER": "/nowhere/at/all"}
    error = run_alone("import dybw; dybw.join()", environment).stderr
    assert "dybw.TrainerError: dybw cannot be reached at /nowhere/at/all" in error
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "DYBW_STEPS": "many"}
    error = run_alone("import dybw; dybw.join()", environment).stderr
    assert "dybw.TrainerError: DYBW_STEPS=many in the environment must be a whole number" in error


@pytest.mark.parametrize("body, message", [
    (struct.pack("<QQII", 1, 1, 0, 99), "dybw names slot 99 of 5"),
    (struct.pack("<QQI", 1, 1, 0), "dybw sent a message that is too short"),
])
def test_a_message_that_fits_nothing_is_an_error(body: bytes, message: str) -> None:
    with small() as run:
        run.place()
        run.slots()
        run.say(STEP, body)
        assert run.failed()[1].startswith(message)
        run.ended(1)


def test_a_trainer_without_its_dybw_ends_at_once() -> None:
    for at in ("between steps", "in a step"):
        with small(body="print('begun', flush=True); sys.stdin.read()", after="print('after the loop')",
                   ) if at == "in a step" else small(after="print('after the loop')") as run:
            run.place()
            run.slots()
            if at == "in a step":
                run.ask_step(1, 2)
            run.peer.close()
            out, error = run.ended(1)
            assert "after" not in out
            assert error == "dybw: the program that started this trainer is gone; so the trainer ends too\n"


def test_a_run_may_end_during_a_step_or_before_the_first() -> None:
    with small(body="sys.stdin.read()", after="print('after the loop')") as run:
        run.place()
        run.slots()
        run.ask_step(1, 2)
        run.say(BYE, text("time limit"))
        run.peer.close()
        assert run.ended(0)[0] == "after the loop\n"
    with small() as run:
        run.place()
        run.hear(LAYOUT)
        run.say(BYE, text("worker 3 was refused"))
        assert run.ended(1)[1] == "dybw: the run was over before it began: worker 3 was refused\n"


def test_a_shard_deals_every_row_once_an_epoch_and_goes_on_where_it_was() -> None:
    numpy = pytest.importorskip("numpy")
    x, y = numpy.arange(20), numpy.arange(20) * 10
    data = Shard((x, y), [4, 2, 9, 11, 17], batch=2, seed=3)
    assert len(data.rows) == 5
    epochs = []
    for _ in range(4):
        batches = [next(data) for _ in range(3)]
        assert [len(b) for b, _ in batches] == [2, 2, 1]
        assert all((b * 10 == c).all() for b, c in batches)
        epochs.append(numpy.concatenate([b for b, _ in batches]).tolist())
    assert data.epoch == 3
    assert all(sorted(e) == [2, 4, 9, 11, 17] for e in epochs) and len(set(map(tuple, epochs))) > 1
    next(data)
    saved = unpack(pack(data.state_dict()))
    later = [next(data)[0].tolist() for _ in range(8)]
    other = Shard((x, y), [17, 11, 9, 4, 2], batch=2, seed=99)
    other.load_state_dict(saved)
    assert [next(other)[0].tolist() for _ in range(8)] == later
    stranger = Shard((x, y), [1, 2, 3], batch=2, seed=99)
    stranger.load_state_dict(saved)
    assert next(stranger)[0].tolist() == next(Shard((x, y), [1, 2, 3], batch=2, seed=99))[0].tolist()
    with pytest.raises(MisuseError, match="empty"):
        Shard((x, y), [], batch=2, seed=1)


def test_labels_are_found_where_data_sets_have_them() -> None:
    numpy = pytest.importorskip("numpy")

    class WithTargets(list):
        targets = [1, 0, 1]

    class WithMethod(list):
        def labels(self) -> None: ...

    x = numpy.zeros((3, 2))
    assert labels_of(WithTargets([1, 2, 3]), None, 3) == [1, 0, 1]
    assert labels_of(WithMethod([1, 2, 3]), None, 3) is None
    assert labels_of((x, numpy.array([2, 1, 0])), None, 3) == [2, 1, 0]
    assert labels_of((x, numpy.array([0.5, 1, 0])), None, 3) is None
    assert labels_of(x, None, 3) is None
    assert labels_of(x, [7, 8, 9], 3) == [7, 8, 9]
    for wrong in ([1, 2], [1, 2, 2.5], [1, 2, 1 << 40], 7):
        with pytest.raises(MisuseError, match="3 whole numbers"):
            labels_of(x, wrong, 3)
    with pytest.raises(MisuseError, match="needs a length"):
        samples_of(iter([1]))


def test_state_comes_back_as_it_was_and_nothing_else_is_believed() -> None:
    numpy = pytest.importorskip("numpy")
    value = {"a": [1, -2.5, None, True, "ö"], 7: (b"\0\1", {"x": numpy.arange(6, dtype="i2").reshape(2, 3)}),
             "inf": float("inf"), "generator": random.Random(1).getstate(), "scalar": numpy.float32(0.5)}
    back = unpack(pack(value))
    assert back["a"] == value["a"] and back["inf"] == value["inf"] and back["scalar"] == 0.5
    assert back[7][0] == b"\0\1" and isinstance(back[7], tuple)
    assert back[7][1]["x"].tolist() == [[0, 1, 2], [3, 4, 5]] and back[7][1]["x"].dtype == numpy.int16
    random.Random().setstate(back["generator"])
    with pytest.raises(TrainerError, match=r"opt.state\[1\] is of type object"):
        pack({"opt": {"state": [1, object()]}})
    data = pack(value)
    for wrong in (b"", b"x" * 100, data[:-1], data[:40], data.replace(b'"array"', b'"arrow"')):
        with pytest.raises(TrainerError, match="none that this package saved"):
            unpack(wrong)


def test_half_precision_arrays_return_their_change() -> None:
    numpy = pytest.importorskip("numpy")
    w = numpy.array([1.0, 1.0], dtype=numpy.float16)
    bound = ArrayBinding({"w": w}, None)
    memory = memory_of([0, 0], [1.0001, 3.00001], [0, 0])
    bound.attach(memory, 0)
    bound.begin(1, 2)
    assert w.tolist() == [1, 3]
    w += numpy.float16(0.5)
    bound.finish()
    assert values_in(memory, 2) == pytest.approx([1.5001, 3.50001], abs=1e-6)


def test_arrays_that_cannot_be_bound_are_named() -> None:
    numpy = pytest.importorskip("numpy")
    w = numpy.zeros(2)
    for arrays, local, words in [
        ({"w": [1.0]}, None, "w must be a NumPy array"),
        ({"n": numpy.zeros(2, dtype=int)}, None, "n is of int64"),
        ({}, None, "at least one array"),
        ([w], None, "takes a mapping"),
        ({"w": w}, "v*", "no tensor is called 'v.'; there are w"),
        ({"w": w}, {"opt": object()}, "has no state_dict"),
        ({"w": w}, 7, "a mapping from names to objects"),
    ]:
        with pytest.raises(MisuseError, match=words):
            ArrayBinding(arrays, local)
    given = {"w": w}
    bound = ArrayBinding(given, None)
    bound.attach(memory_of([0, 0], [1, 2], [0, 0]), 0)
    bound.begin(1, 2)
    given["w"] = given["w"] - 1
    with pytest.raises(MisuseError, match="w is another array than at bind_arrays"):
        bound.finish()


def test_memory_that_does_not_fit_is_refused() -> None:
    cases = [(64, 16, 5, "offers 5 slots"), (64, 4, 2, "offers"), (64, 18, 2, "offers"),
             (64, 16, 0, "offers"), (128, 16, 4, "smaller than")]
    for size, stride, slots, words in cases:
        with pytest.raises(TrainerError, match=words):
            Memory(sealed_memory(64), size, stride, slots, 16)
