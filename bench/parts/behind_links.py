#!/usr/bin/env python3
"""What policies give back where a block takes a quarter of a step on its link, in real time.

    bench/parts/behind_links.py DYBW.. --data MNIST [--workers 6] [--topology ring] [--mbit 50] [--step 0.02] ..

Nodes with a worker each, in network namespaces of their own behind cables that `tc` shapes (needs root, `ip` and `tc`), train softmax
on MNIST with batches of 4. A step takes 20 ms: it waits for as long, so that two processors are enough. Seconds until the mean of three
tests in a row is past 0.905, by the best step size for each seed; programs after the first are compared by their `adaptive` alone. `alone`
is one worker with all the data, `one host` has no links.
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from shaped_hosts import ShapedHosts

TARGET = 0.905
ROWS = ["full", "dtur", "adaptive", "adpsgd", "adaptive, one host", "alone"]


def seconds(program, arguments, row, partition, step_size, seed, hosts):
    """To the target; none if it was not reached."""
    policy, *where = row.split(", ")
    t = arguments.step
    options = ["--policy", "full" if policy == "alone" else policy, "--workers", "1" if policy == "alone" else str(arguments.workers), "--topology",
               "path" if policy == "alone" else arguments.topology, "--partition", "iid" if policy == "alone" else partition, "--step-time",
               f"uniform:{0.9 * t},{1.1 * t}", "--dataset", "mnist", "--data", arguments.data, "--model", "softmax", "--batch", "4",
               "--step-size", str(step_size), "--seed", str(seed), "--time-limit", str(6000 * t), "--target-accuracy",
               str(TARGET + 0.004), "--eval-every", str(25 * t), "--quiet", "--force", "--format", "json"]
    if policy != "alone" and not where:
        options += ["--nodes", ",".join(f"{hosts.address(i)}:7000" for i in range(arguments.workers))]
    with tempfile.TemporaryDirectory() as out:
        process = hosts.run(0, [program, "run", *options, "--out", out], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        result, error = process.communicate(timeout=12000 * t)
    if process.returncode != 0:
        raise SystemExit(f"behind_links: {error.strip()}")
    tests = [(e["time_s"], e["test_accuracy"]) for e in json.loads(result)["runs"][0]["evaluations"]]
    for before, here, after in zip(tests, tests[1:], tests[2:]):
        if before[1] + here[1] + after[1] >= 3 * TARGET:
            return here[0]
    return None


def measure(program, arguments, rows, hosts):
    nodes = [hosts.run(i, [program, "node", "--listen", f"{hosts.address(i)}:7000", "--insecure", "--quiet", "--data", arguments.data])
             for i in range(arguments.workers)]
    try:
        time.sleep(2)
        for partition in ("iid", "shards:2"):
            for row in rows:
                if row == "alone" and partition != "iid":
                    continue
                best = []
                for seed in arguments.seeds:
                    sizes = [0.04] if row == "alone" else arguments.step_sizes
                    times = [seconds(program, arguments, row, partition, x, seed, hosts) for x in sizes]
                    best.append(min((t for t in times if t is not None), default=float("inf")))
                print(f"| {partition} | {row} | {program} | {statistics.mean(best):.1f} |", flush=True)
    finally:
        for node in nodes:
            node.terminate()
        for node in nodes:
            node.wait(timeout=60)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", nargs="+")
    parser.add_argument("--data", required=True)
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--topology", default="ring")
    parser.add_argument("--mbit", type=float, default=50)
    parser.add_argument("--step", type=float, default=0.02)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--step-sizes", nargs="+", default=["0.08", "0.16"])
    parser.add_argument("--rows", nargs="+", default=ROWS)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # which ends the nodes and takes the hosts away, too
    print("| data | row | program | seconds |\n|---|---|---|---:|")
    for i, program in enumerate(arguments.programs):
        with ShapedHosts(arguments.workers, arguments.mbit, burst="8kb") as hosts:
            measure(program, arguments, arguments.rows if i == 0 else ["adaptive"], hosts)


if __name__ == "__main__":
    main()
