#!/usr/bin/env python3
"""Two workers with trainers of 100,000,000 parameters that compute nothing: memory, in blocks of all parameters.

    bench/parts/trainer_memory.py build/rel/apps/dybw build/rel/tests/program/trainers/plain_trainer [--values 100000000]

The peak of what dybw and its trainers hold together (proportional set size), for each worker; and what lies in /dev/shm.
"""

import argparse
import os
import subprocess
import tempfile
import time


def resident(processes):
    """Kilobytes of all, what they share counted once."""
    total = 0
    for each in processes:
        try:
            with open(f"/proc/{each}/smaps_rollup") as lines:
                total += sum(int(x.split()[1]) for x in lines if x.startswith("Pss:"))
        except OSError:
            pass  # it has ended
    return total


def children_of(process):
    try:
        with open(f"/proc/{process}/task/{process}/children") as line:
            own = [int(x) for x in line.read().split()]
    except OSError:
        return []
    return own + [y for x in own for y in children_of(x)]


def measure(program, trainer, values, every):
    shared = lambda: sum(f.stat().st_size for f in os.scandir("/dev/shm") if f.is_file())
    with tempfile.TemporaryDirectory() as place:
        before, most, in_shm = shared(), 0, 0
        run = subprocess.Popen([program, "run", "--trainer", f"{trainer} --values {values}", "--workers", "2", "--policy",
                                "full", "--rounds", "12", "--eval-every", str(every), "--quiet", "--out", place + "/out"],
                               stdout=subprocess.DEVNULL)
        while run.poll() is None:
            most = max(most, resident([run.pid, *children_of(run.pid)]))
            in_shm = max(in_shm, shared() - before)
            time.sleep(0.1)
        if run.returncode != 0:
            raise SystemExit("the run failed")
    return most * 1024 / (4 * values) / 2, in_shm


def main():
    read = argparse.ArgumentParser()
    read.add_argument("program")
    read.add_argument("trainer")
    read.add_argument("--values", type=int, default=100_000_000)
    given = read.parse_args()
    for name, every in (("evaluated at its ends", 1000), ("evaluated all the time", 0.5)):
        blocks, in_shm = measure(given.program, given.trainer, given.values, every)
        print(f"{name:24} {blocks:5.2f} blocks per worker   /dev/shm {in_shm} bytes", flush=True)


if __name__ == "__main__":
    main()
