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

from shaped_hosts import ShapedHosts

TARGET = 0.905
ROWS = ["full", "dtur", "adaptive", "adpsgd", "adaptive, one host", "alone"]


def seconds(program, arguments, row, partition, step_size, seed, hosts):
    """To the target; none if it was not reached."""
    policy, *where = row.split(", ")
    t = arguments.step
    if policy == "alone":
        many = ["--policy", "full", "--workers", "1", "--topology", "path"]
    else:
        many = ["--policy", policy, "--workers", str(arguments.workers), "--topology", arguments.topology, "--partition", partition]
        if not where:
            many += ["--nodes", hosts.addresses()]
    with tempfile.TemporaryDirectory() as out:
        command = [program, "run", *many, "--step-time", f"uniform:{0.9 * t},{1.1 * t}", "--dataset", "mnist", "--data", arguments.data,
                   "--model", "softmax", "--batch", "4", "--step-size", str(step_size), "--seed", str(seed), "--time-limit",
                   str(6000 * t), "--target-accuracy", str(TARGET + 0.004), "--eval-every", str(25 * t), "--quiet", "--force",
                   "--format", "json", "--out", out]
        process = hosts.run(0, command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            result, error = process.communicate(timeout=12000 * t)
        finally:
            process.kill()
    if process.returncode != 0:
        raise SystemExit(f"behind_links: {error.strip()}")
    tests = [(e["time_s"], e["test_accuracy"]) for e in json.loads(result)["runs"][0]["evaluations"]]
    for before, here, after in zip(tests, tests[1:], tests[2:]):
        if before[1] + here[1] + after[1] >= 3 * TARGET:
            return here[0]
    return None


def measure(program, arguments, rows, hosts):
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
        with ShapedHosts(arguments.workers, arguments.mbit, burst="8kb") as hosts, hosts.nodes(program, "--data", arguments.data):
            measure(program, arguments, arguments.rows if i == 0 else ["adaptive"], hosts)


if __name__ == "__main__":
    main()
