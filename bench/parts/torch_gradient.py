#!/usr/bin/env python3
"""PyTorch's gradient step beside that of bench_gradient, on one core, in turns.

    bench/parts/torch_gradient.py build/bench/bench_gradient [TURNS]

Needs PyTorch (Debian: python3-torch) and prints, for the convolutional network of bench_gradient with a batch of 64,
processor time per step of both and the ratio of their speeds: medians over the turns. Expected: at least 0.8.
"""
import json
import statistics
import subprocess
import sys
import time

import torch
from torch import nn

MODEL = "cnn:16x5,pool2,32x5,pool2,64"
BATCH = 64
STEPS = 40


def torch_step_ms() -> float:
    """The median of some steps of SGD on random images, in ms of this thread."""
    net = nn.Sequential(
        nn.Conv2d(3, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(800, 64), nn.ReLU(), nn.Linear(64, 10))
    optimiser = torch.optim.SGD(net.parameters(), lr=0.02)
    images, labels = torch.rand(BATCH, 3, 32, 32), torch.randint(0, 10, (BATCH,))
    times = []
    for _ in range(STEPS):
        begin = time.thread_time()
        optimiser.zero_grad()
        nn.functional.cross_entropy(net(images), labels).backward()
        optimiser.step()
        times.append(time.thread_time() - begin)
    return statistics.median(times) * 1e3


def our_step_ms(program: str) -> float:
    name = f"gradient_step/{MODEL}/features:3072/batch:{BATCH}/"
    out = subprocess.run([program, f"--benchmark_filter={name}", "--benchmark_format=json", "--benchmark_min_time=1"],
                         check=True, capture_output=True, text=True).stdout
    return BATCH / json.loads(out)["benchmarks"][0]["samples/s"] * 1e3


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    torch.set_num_threads(1)
    turns = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    ours, theirs = [], []
    for _ in range(turns):
        ours.append(our_step_ms(sys.argv[1]))
        theirs.append(torch_step_ms())
    ratio = statistics.median(t / o for o, t in zip(ours, theirs))
    print(f"dybw {statistics.median(ours):.2f} ms, PyTorch {torch.__version__} {statistics.median(theirs):.2f} ms "
          f"per step; speed {ratio:.2f} of PyTorch's (expected at least 0.8)")


if __name__ == "__main__":
    main()
