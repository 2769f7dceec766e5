#!/usr/bin/env python3
"""Rounds of a model of 1,000,000 parameters over a link of 100 Mbit/s, by --send.

    bench/parts/slow_link.py build/apps/dybw [--mbit 100] [--rounds 40] [--turns 3]

Two nodes in network namespaces of their own, behind cables that `tc` shapes (needs root, `ip` and `tc`), train
`mlp:1258` on digits under `full`, a worker on each, in turns for each format. Prints the median time of a round, its ratio to
float32's, bytes on the links per estimate and the accuracy reached; the last row has no link between its two workers, which
says what of a round is not the link.
"""

import argparse
import json
import statistics
import subprocess
import sys

from shaped_hosts import ShapedHosts

FORMATS = ["float32", "float16", "bfloat16", "int8"]
PARAMETERS = 784 * 1258 + 1258 + 1258 * 10 + 10


def training(arguments, *more):
    return [arguments.program, "run", "--workers", "2", "--model", "mlp:1258", "--batch", "16", "--step-size", "0.02", "--policy",
            "full", "--rounds", str(arguments.rounds), "--eval-every", "1000", "--format", "json", "--quiet", *more]


def run_of(process):
    out, err = process.communicate(timeout=600)
    if process.returncode != 0:
        sys.exit(f"slow_link: {err}")
    return json.loads(out)["runs"][0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--mbit", type=float, default=100)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    rounds = {name: [] for name in FORMATS}
    last = {}
    with ShapedHosts(2, arguments.mbit) as hosts, hosts.nodes(arguments.program):
        for _ in range(arguments.turns):
            for name in FORMATS:
                process = hosts.run(0, training(arguments, "--nodes", hosts.addresses(), "--send", name),
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                last[name] = run_of(process)
                rounds[name].append(last[name]["mean_round_s"])
    one_host = run_of(subprocess.Popen(training(arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    slow = statistics.median(rounds["float32"])
    print(f"{PARAMETERS:,} parameters, {arguments.mbit:g} Mbit/s, medians of {arguments.turns} runs of {arguments.rounds} rounds")
    print(f"{'send':10} {'round':>9} {'times as fast':>14} {'bytes':>7} {'accuracy':>9}")
    for name in FORMATS:
        took = statistics.median(rounds[name])
        share = last[name]["link_bytes_sent"] / last[name]["estimates_sent"] / (4 * PARAMETERS)
        print(f"{name:10} {took * 1e3:6.0f} ms {slow / took:14.2f} {share:7.3f} {last[name]['test_accuracy']:9.4f}")
    print(f"{'one host':10} {one_host['mean_round_s'] * 1e3:6.0f} ms {'':14} {'':7} {one_host['test_accuracy']:9.4f}")


if __name__ == "__main__":
    main()
