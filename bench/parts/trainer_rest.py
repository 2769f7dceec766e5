#!/usr/bin/env python3
"""Six trainers of which one hangs for a while: the pace of the others while its worker rests, over their pace before.

    bench/parts/trainer_rest.py build/rel/apps/dybw [--policies full,dtur,adaptive] [--seconds 12]

It is stopped (SIGSTOP), loops, or sleeps with the interpreter's lock held. Steps sleep 20 ms, so that it is not the free
processor that makes the others quicker. The last row is the same run in which nobody hangs.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORKERS = 6
ODD = 2
PACKAGE = Path(__file__).resolve().parents[2] / "python"
AT = 6.0  # seconds after the start


def hang(how, seconds):
    import ctypes
    import signal

    if how == "stopped":
        subprocess.Popen(["sh", "-c", f"sleep {seconds}; kill -CONT {os.getpid()}"])
        os.kill(os.getpid(), signal.SIGSTOP)
    elif how == "loops":
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            pass
    elif how == "holds the lock":
        ctypes.PyDLL(None).sleep(int(seconds))


def train(how, seconds):
    import dybw
    import numpy as np

    place = dybw.join()
    w = np.zeros(1000, dtype=np.float32)
    place.bind_arrays({"w": w})
    begun = None
    for step in place.steps():
        begun = begun or time.monotonic()
        time.sleep(0.02)
        w += 0.01 * (1 - w)
        if place.worker == ODD and begun > 0 and time.monotonic() - begun > AT:
            begun = float("inf")
            hang(how, seconds)
        step.done(loss=float(np.mean((1 - w) ** 2)), samples=1)


def pace(starts, first, last):
    """Rounds per second that began between two moments."""
    return sum(first <= at < last for at in starts) / (last - first)


def measure(program, policy, how, seconds):
    sys.path.insert(0, str(PACKAGE))
    import dybw

    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "out"
        command = [program, "run", "--trainer", f"{sys.executable} {__file__} --as '{how}' --seconds {seconds}", "--workers",
                   str(WORKERS), "--policy", policy, "--time-limit", str(AT + seconds + 6), "--out", str(out), "--quiet"]
        end = subprocess.run(command, env=dict(os.environ, PYTHONPATH=str(PACKAGE)), capture_output=True, text=True)
        if end.returncode != 0:
            raise SystemExit(end.stderr)
        run = dybw.read_run(out)
        begun = list(zip(run.rounds["worker"], run.rounds["start_s"]))
    own = sorted(at for worker, at in begun if worker == ODD)
    before, after = (AT, AT + seconds) if how == "no" else max(zip(own, own[1:]), key=lambda x: x[1] - x[0])
    others = [at for worker, at in begun if worker != ODD]
    said = 1.6  # the word that it rests comes after a second at least, and is looked for twice a second
    ratio = pace(others, before + said, after) / pace(others, before - 4, before - 0.1)
    return ratio, sum(at > after for at in own), run["mixing"]["one_sided_edges"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?")
    parser.add_argument("--policies", default="full,dtur,adaptive")
    parser.add_argument("--seconds", type=int, default=12)
    parser.add_argument("--as", dest="role")
    given = parser.parse_args()
    if given.role:
        return train(given.role, given.seconds)
    print(f"{'policy':10} {'one trainer':15} pace of the others  its steps after  one-sided edges")
    for policy in given.policies.split(","):
        for how in ("stopped", "loops", "holds the lock", "no"):
            ratio, steps, odd = measure(given.program, policy, how, given.seconds)
            print(f"{policy:10} {how:15} {ratio:18.3f} {steps:16} {odd:16}", flush=True)


if __name__ == "__main__":
    main()
