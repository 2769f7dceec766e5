"""Scripts in real runs of the program, which DYBW_PROGRAM names: the examples, on small data."""

import gzip
import importlib.util
import json
import os
import random
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

import dybw

PACKAGE = Path(__file__).resolve().parents[1]
EXAMPLES = PACKAGE.parent / "examples"
PROGRAM = os.environ.get("DYBW_PROGRAM")

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="DYBW_PROGRAM names no program")
needs_numpy = pytest.mark.skipif(importlib.util.find_spec("numpy") is None, reason="NumPy is not installed")
needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")


def run(script, *options, out, timeout=240):
    """Runs `dybw run` with a script as its trainers; the process, ended."""
    command = [PROGRAM, "run", "--trainer", f"{sys.executable} {script}", "--quiet", "--out", str(out)]
    environment = dict(os.environ, PYTHONPATH=str(PACKAGE), OMP_NUM_THREADS="1")
    # LeakSanitizer has nothing to say of what Python leaves at its end; trainers are not built with it.
    return subprocess.run([*command, *options], capture_output=True, text=True, timeout=timeout, env=environment)


def good(end):
    assert end.returncode == 0, end.stderr
    return end


def write_mnist(place, samples=200):
    """Four files in MNIST's format, of images whose class stands in bright rows."""
    for kind, count in (("train", samples), ("t10k", samples)):
        labels = bytes(i % 10 for i in range(count))
        images = b"".join(
            bytes(250 if row // 2 == label else 5 for row in range(28) for _ in range(28)) for label in labels)
        head = struct.pack(">4I", 0x803, count, 28, 28)
        (place / f"{kind}-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + images))
        (place / f"{kind}-labels-idx1-ubyte").write_bytes(struct.pack(">2I", 0x801, count) + labels)


def write_cifar10(place, samples=120):
    """Files in CIFAR-10's binary format; the class is a shade of red, the rest is noise."""
    noise = random.Random(1)
    for name in ("data_batch_1.bin", "test_batch.bin"):
        classes = [(i + i // 10) % 10 for i in range(samples)]
        rows = (bytes([c]) + bytes([25 * c]) * 1024 + noise.randbytes(2048) for c in classes)
        (place / name).write_bytes(b"".join(rows))


@needs_numpy
@pytest.mark.parametrize("policy", ["full", "dtur", "adaptive"])
def test_numpy_example(tmp_path, policy):
    good(run(EXAMPLES / "numpy_logistic.py", "--workers", "3", "--policy", policy, "--rounds", "150",
             out=tmp_path / "out"))
    result = dybw.read_run(tmp_path / "out")
    assert result["test_accuracy"] > 0.9
    assert result["scores"]["accuracy"] == result["test_accuracy"]
    assert result["mixing"]["one_sided_edges"] == 0


@needs_numpy
def test_the_score_is_that_of_the_parameters_in_the_archive(tmp_path):
    import numpy as np

    good(run(EXAMPLES / "numpy_logistic.py", "--workers", "3", "--policy", "full", "--rounds", "60",
             out=tmp_path / "out"))
    draw = np.random.default_rng(0)
    truth = draw.normal(size=20)
    x = draw.normal(size=(12_000, 20))
    y = (x @ truth + draw.normal(size=len(x)) > 0).astype(int)
    arrays = np.load(tmp_path / "out" / "full" / "model.npz")
    right = (x[10_000:] @ arrays["w"].astype(float) + arrays["b"] > 0) == y[10_000:]
    assert right.mean() == dybw.read_run(tmp_path / "out")["test_accuracy"]


@needs_torch
def test_pytorch_mnist_example(tmp_path):
    write_mnist(tmp_path)
    good(run(EXAMPLES / "pytorch_mnist.py", "--data", str(tmp_path), "--workers", "2", "--policy", "dtur",
             "--rounds", "25", out=tmp_path / "out"))
    result = dybw.read_run(tmp_path / "out")
    assert result["test_accuracy"] > 0.8
    assert {"0.weight", "5.bias"} <= {a["name"] for a in result["model_layout"]}


@needs_torch
def test_pytorch_cifar10_example_averages_the_running_statistics(tmp_path):
    write_cifar10(tmp_path)
    good(run(EXAMPLES / "pytorch_cifar10.py", "--data", str(tmp_path), "--workers", "2", "--policy", "full",
             "--rounds", "12", out=tmp_path / "out"))
    names = {a["name"] for a in dybw.read_run(tmp_path / "out")["model_layout"]}
    assert {"norm1.running_mean", "norm1.running_var", "norm1.weight"} <= names
    assert "norm1.num_batches_tracked" not in names


@needs_torch
def test_virtual_time_is_the_same_twice(tmp_path):
    write_mnist(tmp_path)
    for name in ("a", "b"):
        good(run(EXAMPLES / "pytorch_mnist.py", "--data", str(tmp_path), "--workers", "3", "--policy", "dtur",
                 "--rounds", "8", "--clock", "virtual", "--step-time", "exp:1", out=tmp_path / name))
    for file in ("rounds.jsonl", "model.npy"):
        first, second = ((tmp_path / name / "dtur" / file).read_bytes() for name in ("a", "b"))
        assert first == second


@needs_torch
def test_virtual_time_goes_on_as_if_nothing_had_been(tmp_path):
    write_mnist(tmp_path)
    options = ["--data", str(tmp_path), "--workers", "3", "--policy", "dtur", "--rounds", "30", "--clock", "virtual",
               "--step-time", "exp:1", "--checkpoint-every", "4", "--eval-every", "3"]
    good(run(EXAMPLES / "pytorch_mnist.py", *options, out=tmp_path / "whole"))
    out = tmp_path / "out"
    good(run(EXAMPLES / "pytorch_mnist.py", *options, "--time-limit", "11", out=out))
    assert dybw.read_run(out)["rounds"] < 25
    environment = dict(os.environ, PYTHONPATH=str(PACKAGE), OMP_NUM_THREADS="1")
    good(subprocess.run([PROGRAM, "run", "--resume", str(out), "--quiet", "--time-limit", "1e6"], env=environment,
                        capture_output=True, text=True, timeout=240))
    for file in ("rounds.jsonl", "model.npy"):
        first, second = ((tmp_path / name / "dtur" / file).read_bytes() for name in ("whole", "out"))
        assert first == second, file


FAILING = """
import dybw, sys
import numpy as np
{at_import}
place = dybw.join()
w = np.zeros(4, np.float32)
place.bind_arrays({{"w": w}})
@place.evaluate
def score():
    {in_evaluate}
    return {{"accuracy": 0.5}}
for k, step in enumerate(place.steps()):
    {in_step}
    step.done(loss=1.0, samples=1)
"""


def failing(tmp_path, at_import="", in_evaluate="pass", in_step="pass"):
    script = tmp_path / "failing.py"
    script.write_text(FAILING.format(at_import=at_import, in_evaluate=in_evaluate, in_step=in_step))
    return script


def test_an_exception_in_one_step_ends_that_worker(tmp_path):
    script = failing(tmp_path, in_step="assert place.worker != 1 or k < 20, 'no more'")
    good(run(script, "--workers", "3", "--policy", "full", "--topology", "complete", "--rounds", "60",
             out=tmp_path / "out"))
    workers = dybw.read_run(tmp_path / "out")["per_worker"]
    assert [w["rounds"] for w in workers] == [60, 20, 60]
    assert workers[1]["failure"].startswith("AssertionError: no more (failing.py:")
    assert "Traceback" in (tmp_path / "out" / "trainers" / "worker-1.err").read_text()


def test_an_exception_at_import_is_one_line(tmp_path):
    end = run(failing(tmp_path, at_import="import no_such_module"), "--workers", "3", "--rounds", "9",
              out=tmp_path / "out")
    assert end.returncode == 1
    assert end.stderr.count("\n") == 1
    assert "ModuleNotFoundError: No module named 'no_such_module'" in end.stderr


def test_an_exception_in_evaluate_ends_one_worker_not_all(tmp_path):
    end = good(run(failing(tmp_path, in_evaluate="raise ValueError('no score')"), "--workers", "3", "--policy",
                   "full", "--topology", "complete", "--rounds", "40", "--step-time", "const:0.03",
                   "--eval-every", "0.1", "--format", "json", out=tmp_path / "out"))
    failures = [w.get("failure") for w in json.loads(end.stdout)["runs"][0]["per_worker"]]
    assert sum(f is not None for f in failures) <= 1
    assert "ValueError: no score" in end.stderr


def test_a_trainer_is_started_again(tmp_path):
    mark = tmp_path / "failed-once"
    script = failing(
        tmp_path, in_step=f"if place.worker == 1 and k == 10 and not __import__('os').path.exists({str(mark)!r}): "
                          f"open({str(mark)!r}, 'w').close(); sys.exit(3)")
    end = good(run(script, "--workers", "3", "--policy", "dtur", "--topology", "complete", "--rounds", "400",
                   "--step-time", "const:0.01", "--trainer-restart", "1", out=tmp_path / "out"))
    assert "it is started again (1 of 1)" in end.stderr
    workers = dybw.read_run(tmp_path / "out")["per_worker"]
    assert all("failure" not in w for w in workers)
    assert workers[1]["rounds"] > 15


def test_trainers_that_others_start(tmp_path):
    socket = tmp_path / "socket"
    environment = dict(os.environ, PYTHONPATH=str(PACKAGE), DYBW_TRAINER=str(socket))
    script = failing(tmp_path)
    server = subprocess.Popen([PROGRAM, "run", "--attach", str(socket), "--workers", "2", "--rounds", "30",
                               "--policy", "full", "--topology", "path", "--quiet", "--out",
                               str(tmp_path / "out")], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        for _ in range(500):
            if socket.exists():
                break
            time.sleep(0.02)
        trainers = [subprocess.Popen([sys.executable, str(script)], env=environment) for _ in range(2)]
        assert [t.wait(60) for t in trainers] == [0, 0]
        assert server.wait(60) == 0
    finally:
        server.kill()
        server.communicate()
    assert dybw.read_run(tmp_path / "out")["rounds"] == 30
    assert not socket.exists()


DETERMINISTIC = """
import dybw
import numpy as np
place = dybw.join()
draw = np.random.default_rng(0)
x = draw.normal(size=(500, 6)).astype(np.float32)
y = x @ np.arange(6, dtype=np.float32)
w = np.zeros(6, np.float32)
class Momentum:
    v = np.zeros(6, np.float32)
    def state_dict(self):
        return {"v": self.v}
    def load_state_dict(self, state):
        self.v = state["v"]
opt = Momentum()
data = place.shard((x, y), batch=8)
place.bind_arrays({"w": w}, local={"opt": opt, "data": data})
for step in place.steps():
    a, b = next(data)
    error = a @ w - b
    opt.v = 0.9 * opt.v + a.T @ error / len(b)
    w -= 0.001 * opt.v
    step.done(loss=float(np.mean(error**2)), samples=len(b))
"""


@needs_numpy
def test_a_run_that_is_killed_again_and_again_ends_as_one_that_is_not(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(DETERMINISTIC)
    kills = int(os.environ.get("DYBW_KILLS", "4"))
    rounds = 450 * (kills + 1)  # more than all the lives that are cut short can do
    options = ("--workers", "1", "--topology", "path", "--policy", "full", "--rounds", str(rounds), "--step-time",
               "const:0.002")
    good(run(script, *options, out=tmp_path / "whole"))
    out = tmp_path / "killed"
    environment = dict(os.environ, PYTHONPATH=str(PACKAGE))
    first = [PROGRAM, "run", "--trainer", f"{sys.executable} {script}", *options, "--checkpoint-every", "0.05",
             "--quiet", "--out", str(out)]
    moments = random.Random(3)
    begun = False
    for _ in range(kills):
        command = [PROGRAM, "run", "--resume", str(out), "--quiet"] if begun else first
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
        for _ in range(3000):  # until there is something to go on from
            if begun or any(out.glob("full/**/*.ckpt")) or process.poll() is not None:
                break
            time.sleep(0.02)
        time.sleep(moments.uniform(0.05, 0.9))
        process.kill()
        process.communicate()
        begun = any(out.glob("full/**/*.ckpt"))
    assert begun
    good(subprocess.run([PROGRAM, "run", "--resume", str(out), "--quiet"], env=environment, capture_output=True,
                        text=True, timeout=240))
    result = dybw.read_run(out)
    assert result["resumed"]["round"] > 0
    assert result["rounds"] == rounds
    assert (out / "full" / "model.npy").read_bytes() == (tmp_path / "whole" / "full" / "model.npy").read_bytes()
