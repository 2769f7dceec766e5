#!/usr/bin/env python3
"""What the boundary to a trainer process costs per step: trainers that compute nothing.

    bench/parts/trainer_boundary.py build/rel/apps/dybw build/rel/tests/trainers/plain_trainer

One worker, nobody to average with. The trainer in C copies w to w~; that in Python is examples' `bind_arrays`
with an empty loop body. "step" is what a worker counts as its step: the trip to the process and back, the copy
and the check that all is finite; "round" is all of the time, shared among the rounds. Medians of --repeat runs. First
what the system alone takes: 24 bytes to another process and back over a socket like that of trainers.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PYTHON_TRAINER = """
import dybw
import numpy as np
place = dybw.join()
w = np.zeros({values}, np.float32)
place.bind_arrays({{"w": w}})
for step in place.steps():
    step.done(loss=0.0, samples=1)
"""

TORCH_TRAINER = """
import dybw
import torch
torch.set_num_threads(1)
place = dybw.join()
net = torch.nn.Module()
net.w = torch.nn.Parameter(torch.zeros({values}))
place.bind(net)
for step in place.steps():
    step.done(loss=0.0, samples=1)
"""


def measure(dybw, command, rounds, environment):
    run = subprocess.run(
        [dybw, "run", "--trainer", command, "--workers", "1", "--topology", "path", "--policy", "full",
         "--rounds", str(rounds), "--eval-every", "1000", "--quiet", "--format", "json"],
        check=True, capture_output=True, text=True, env=environment)
    result = json.loads(run.stdout)["runs"][0]
    return result["per_worker"][0]["mean_step_s"] * 1e6, result["duration_s"] / rounds * 1e6


def bare_trip(trips=5000):
    """Microseconds to another process and back, which does nothing but answer."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    child = os.fork()
    if child == 0:
        here.close()
        while there.recv(24):
            there.send(bytes(24))
        os._exit(0)
    there.close()
    begin = time.perf_counter()
    for _ in range(trips):
        here.send(bytes(24))
        here.recv(24)
    took = time.perf_counter() - begin
    here.close()
    os.waitpid(child, 0)
    return took / trips * 1e6


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("dybw")
    options.add_argument("plain_trainer")
    options.add_argument("--repeat", type=int, default=5)
    options.add_argument("--python", default=sys.executable, help="with NumPy and torch")
    given = options.parse_args()
    package = Path(__file__).resolve().parents[2] / "python"
    environment = dict(os.environ, PYTHONPATH=str(package), OMP_NUM_THREADS="1")
    with tempfile.TemporaryDirectory() as place:
        print(f"bare trip: {statistics.median(bare_trip() for _ in range(given.repeat)):.1f} us")
        print(f"{'trainer':<10}{'parameters':>12}{'step, us':>12}{'round, us':>12}")
        for values, rounds in ((7850, 3000), (1_000_000, 500)):
            for name, text in (("C", None), ("NumPy", PYTHON_TRAINER), ("PyTorch", TORCH_TRAINER)):
                command = f"{given.plain_trainer} --values {values}"
                if text is not None:
                    script = Path(place) / f"{name}{values}.py"
                    script.write_text(text.format(values=values))
                    command = f"{given.python} {script}"
                times = [measure(given.dybw, command, rounds, environment) for _ in range(given.repeat)]
                step, whole = (statistics.median(x) for x in zip(*times))
                print(f"{name:<10}{values:>12,}{step:>12.1f}{whole:>12.1f}", flush=True)


if __name__ == "__main__":
    main()
