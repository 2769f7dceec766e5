#!/usr/bin/env python3
"""Six cells in virtual time and in real time, with real processes: seconds to a test accuracy of 0.915 on MNIST.

    bench/parts/beside_real_time.py DYBW MNIST [--seeds 1 2 3] [--step 0.005]

Softmax, batches of 4, six workers on a ring in three processes (dybw node, two workers each), data dealt at random or two classes to each
worker; nobody slow, one worker four times slower, exponential steps. A step takes 5 ms: in real time it waits for as long, so that two
processors are enough. Every row has the step size that did best in virtual time with a seed that is not reported. The target is reached
when the mean of three tests in a row is past it. `alone` is one worker with all the data; `ideal` is one with mini-batches of 24,
whose steps are taken at the pace of workers that never wait (virtual time only).
"""

import argparse
import json
import pathlib
import re
import signal
import statistics
import subprocess
import sys
import tempfile

TARGET = 0.915
TUNING_SEED = 100
GRID = [0.16, 0.32, 0.08, 0.64, 0.04]  # the likely ones first: runs end at the best time so far
WORKERS = 6
POLICIES = ["full", "dtur", "adaptive", "adpsgd"]


class Node:
    def __init__(self, dybw, data):
        self.process = subprocess.Popen([dybw, "node", "--listen", "127.0.0.1:0", "--data", data],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:
            if found := re.search(r"127\.0\.0\.1:\d+", line):
                self.address = found[0]
                return
        raise SystemExit("dybw node did not start")

    def end(self):
        self.process.terminate()
        self.process.wait()


def options_of(arguments, policy, data, slowness, step_size, seed, limit):
    t = arguments.step
    times = {
        "none": ["--step-time", f"uniform:{0.9 * t},{1.1 * t}"],
        "slow:1:4": ["--step-time", f"uniform:{0.9 * t},{1.1 * t}", "--straggler", "slow:1:4"],
        "exponential": ["--step-time", f"exp:{t}"],
    }[slowness]
    many = ["--workers", str(WORKERS), "--topology", "ring", "--partition", data, "--batch", "4"]
    if policy in ("alone", "ideal"):
        times = ["--step-time", f"const:{t}"]
        many = ["--workers", "1", "--topology", "path", "--batch", "4" if policy == "alone" else str(4 * WORKERS)]
        policy = "full"
    return ["--policy", policy, *many, *times, "--dataset", "mnist", "--model", "softmax",
            "--step-size", str(step_size), "--seed", str(seed), "--time-limit", str(limit),
            "--target-accuracy", str(TARGET + 0.004), "--eval-every", str(50 * t), "--quiet", "--force"]


def play(arguments, options, where):
    """When the target was reached, nothing if it was not, and the run, which ends at a single test well past it."""
    with tempfile.TemporaryDirectory() as out:
        command = [arguments.dybw, "run", *options, *where, "--format", "json", "--out", out]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(done.stderr.strip())
        run = json.loads(done.stdout)["runs"][0]
    tests = [(e["time_s"], e["test_accuracy"]) for e in run["evaluations"]]
    for before, here, after in zip(tests, tests[1:], tests[2:]):
        if before[1] + here[1] + after[1] >= 3 * TARGET:
            return here[0], run
    return run["time_to_target_s"], run


def best_step_size(arguments, policy, data, slowness):
    best, step_size = 20000 * arguments.step, None
    for candidate in GRID:
        time, _ = play(arguments, options_of(arguments, policy, data, slowness, candidate, TUNING_SEED, best),
                       ["--clock", "virtual", "--data", arguments.data])
        if time is not None and time < best:
            best, step_size = time, candidate
    if step_size is None:
        raise SystemExit(f"{policy}, {data}, {slowness}: no step size reaches the target")
    return step_size, best


def text_of(times):
    reached = [t for t in times if t is not None]
    if not reached:
        return "never"
    some = f" ({len(reached)} of {len(times)})" if len(reached) < len(times) else ""
    return f"{statistics.median(reached):.1f} s{some}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dybw")
    parser.add_argument("data")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--step", type=float, default=0.005, help="seconds that a step takes")
    parser.add_argument("--policies", nargs="+", default=POLICIES)
    arguments = parser.parse_args()
    arguments.dybw = str(pathlib.Path(arguments.dybw).resolve())
    print("| data | slowness | row | step size | virtual | of `full` | real | of `full` |\n|---|---|---|---:|---:|---:|---:|---:|")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # which ends the nodes, too
    nodes = [Node(arguments.dybw, arguments.data) for _ in range(3)]
    here = ["--data", arguments.data]
    in_virtual_time = ["--clock", "virtual", *here]
    on_nodes = ["--nodes", ",".join(n.address for n in nodes)]
    try:
        for data in ("iid", "shards:2"):
            for slowness in ("none", "slow:1:4", "exponential"):
                full = {}
                for policy in [*arguments.policies, "alone", "ideal"]:
                    step_size, about = best_step_size(arguments, policy, data, slowness)
                    virtual, real, rate = [], [], 0
                    for seed in arguments.seeds:
                        options = options_of(arguments, policy, data, slowness, step_size, seed, 3 * about)
                        time, run = play(arguments, options, in_virtual_time)
                        virtual.append(time)
                        rate = run["no_wait_rate"]
                        if policy != "ideal":
                            real.append(play(arguments, options, here if policy == "alone" else on_nodes)[0])
                    if policy in arguments.policies:
                        full.setdefault("rate", rate)
                    if policy == "ideal":
                        virtual = [t and t / arguments.step * WORKERS / full["rate"] for t in virtual]
                    if policy == "full":
                        full.update(virtual=[t for t in virtual if t], real=[t for t in real if t])
                    ratios = [f"{statistics.median(t for t in times if t) / statistics.median(full[clock]):.2f}"
                              if full.get(clock) and any(times) else "" for clock, times in
                              (("virtual", virtual), ("real", real))]
                    print(f"| {data} | {slowness} | {policy} | {step_size} | {text_of(virtual)} | {ratios[0]} | "
                          f"{text_of(real) if real else ''} | {ratios[1]} |", flush=True)
    finally:
        for node in nodes:
            node.end()


if __name__ == "__main__":
    main()
