#!/usr/bin/env python3
"""Accuracy at equal gradients, with fewer exchanges: local steps, with and without an outer step, in virtual time.

    bench/parts/local_steps.py DYBW CIFAR10 [--gradients 1500] [--workers 8] [--batch 8] [--seeds 1 2 3]

Every row takes its step size from one grid, by a seed that is not reported. `alone` is one worker with all the data, at as many
gradients as each worker takes; `ideal` is one worker with mini-batches as large as those of all workers together. Bytes are those handed
to neighbours, as a share of those with one local step.
"""

import argparse
import json
import statistics
import subprocess
import tempfile

TUNING_SEED = 100


def rows(workers, batch, topology):
    many = ["--workers", str(workers), "--topology", topology]
    outer = ["--outer-momentum", "0.5", "--outer-step", "0.7"]
    return {
        "alone": ["--workers", "1", "--topology", "complete", "--batch", str(batch)],
        "ideal": ["--workers", "1", "--topology", "complete", "--batch", str(batch * workers)],
        "H = 1": [*many, "--batch", str(batch)],
        "H = 16": [*many, "--batch", str(batch), "--local-steps", "16"],
        "H = 16, outer": [*many, "--batch", str(batch), "--local-steps", "16", *outer],
    }


def run(arguments, row, step_size, seed, gradients):
    local = int(row[row.index("--local-steps") + 1]) if "--local-steps" in row else 1
    with tempfile.TemporaryDirectory() as out:
        command = [arguments.dybw, "run", "--clock", "virtual", "--step-time", "const:1", "--policy", arguments.policy,
                   "--dataset", "cifar10", "--data", arguments.data, "--model", arguments.model,
                   "--rounds", str(gradients // local), "--step-size", str(step_size),
                   "--seed", str(seed), "--eval-every", str(gradients), "--out", out, "--force", "--quiet",
                   "--format", "json", *row]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):  # 1: the loss was no number, which the figures show
        raise SystemExit(done.stderr.strip())
    return json.loads(done.stdout)["runs"][0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dybw")
    parser.add_argument("data")
    parser.add_argument("--model", default="cnn:16x5,pool2,32x5,pool2,64")
    parser.add_argument("--topology", default="ring")
    parser.add_argument("--policy", default="full")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--gradients", type=int, default=1504, help="of each worker; a multiple of 16")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--grid", type=float, nargs="+", default=[0.02, 0.04, 0.08, 0.16, 0.32], help="step sizes")
    parser.add_argument("--rows", nargs="+", help="of the table; all")
    arguments = parser.parse_args()
    bytes_of_one = None
    print(f"{'row':16} {'step':>6} {'accuracy':>9} {'+-':>6} {'worst':>7} {'loss':>7} {'bytes':>7}")
    for name, row in rows(arguments.workers, arguments.batch, arguments.topology).items():
        if arguments.rows and name not in arguments.rows:
            continue
        tried = {s: run(arguments, row, s, TUNING_SEED, arguments.gradients)["test_accuracy"] or 0 for s in arguments.grid}
        step_size = max(tried, key=tried.get)
        results = [run(arguments, row, step_size, seed, arguments.gradients) for seed in arguments.seeds]
        accuracies = [r["test_accuracy"] or 0 for r in results]
        spread = statistics.stdev(accuracies) if len(accuracies) > 1 else 0
        sent = statistics.mean(r["bytes_sent"] for r in results)
        if name == "H = 1":
            bytes_of_one = sent
        share = f"{sent / bytes_of_one:7.4f}" if bytes_of_one and sent else f"{'-':>7}"
        worst = statistics.mean(r["worst_worker_accuracy"] or 0 for r in results)
        loss = statistics.mean(r["test_loss"] or float("nan") for r in results)
        print(f"{name:16} {step_size:6} {statistics.mean(accuracies):9.4f} {spread:6.4f} {worst:7.4f} {loss:7.4f} {share}", flush=True)


if __name__ == "__main__":
    main()
