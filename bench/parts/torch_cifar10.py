#!/usr/bin/env python3
"""examples/pytorch_cifar10.py by four workers of which one is four times slower, and by one worker alone: test accuracy.

    bench/parts/torch_cifar10.py build/rel/apps/dybw DATA [--steps 2000] [--policies full,dtur,adaptive]

`steps`: gradient steps of each worker. Alone the script makes as many, and, for a second row, as many as the four
together. The worst and best worker are measured at the end like the mean model, on the whole test set.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

WORKERS = 4
ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "examples" / "pytorch_cifar10.py"


def environment(**more):
    return dict(os.environ, PYTHONPATH=str(ROOT / "python"), OMP_NUM_THREADS="1", **more)


def run(program, data, policy, steps, workers, straggler):
    command = [program, "run", "--trainer", f"{sys.executable} {SCRIPT}", "--data", data, "--workers", str(workers),
               "--policy", policy, "--straggler", straggler, "--rounds", str(steps), "--eval-every", "1000",
               "--format", "json", "--quiet"]
    begun = time.monotonic()
    end = subprocess.run(command, env=environment(), capture_output=True, text=True)
    if end.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{end.stderr}")
    result = json.loads(end.stdout)["runs"][0]
    return result, time.monotonic() - begun


def row(name, result, took):
    each = [w["test_accuracy"] for w in result["per_worker"]]
    print(f"{name:24} {result['local_steps']:8} {result['test_accuracy']:.4f}  {min(each):.4f} {max(each):.4f} "
          f"{took:7.0f} s", flush=True)


def main():
    read = argparse.ArgumentParser()
    read.add_argument("program")
    read.add_argument("data")
    read.add_argument("--steps", type=int, default=2000)
    read.add_argument("--policies", default="full,dtur,adaptive")
    given = read.parse_args()
    print(f"{'':24} {'steps':>8} {'mean':>6}  {'worst':>6} {'best':>6} {'took':>9}", flush=True)
    row("alone", *run(given.program, given.data, "full", given.steps, 1, "none"))
    row("alone, all their steps", *run(given.program, given.data, "full", WORKERS * given.steps, 1, "none"))
    for policy in given.policies.split(","):
        row(policy, *run(given.program, given.data, policy, given.steps, WORKERS, "slow:1:4"))


if __name__ == "__main__":
    main()
