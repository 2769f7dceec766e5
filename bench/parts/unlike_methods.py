#!/usr/bin/env python3
"""Ways to make up for unlike data, side by side in the simplest setting that has it: MNIST softmax, a ring in rounds.

    bench/parts/unlike_methods.py MNIST [--rounds 600] [--seeds 1 2 3 4 5]

Each of eight workers has samples of about two classes; one takes part in a round in four only, and its edges are then the only ones missing
(at both ends). All methods make the same gradient steps of 16 samples, each with the step size that is best for it by a seed that is not
reported. `bytes`: blocks sent, of those with averaging alone. No part of the program: a yardstick for its correction, by the formulas alone.

  plain       decentralised SGD (Lian et al., NeurIPS 2017)
  scaled      .. with the slow worker's gradients times four
  quasi       quasi-global momentum, 0.9 (Lin et al., ICML 2021)
  tracking    gradient tracking (Koloskova et al., NeurIPS 2021): sends a second vector
  rho = R     the correction; rho = 1 is D2 (Tang et al., ICML 2018)
"""

import argparse
import gzip
import math
import statistics
from pathlib import Path

import numpy

WORKERS, BATCH, SLOW, TAKES_PART, TUNING_SEED = 8, 16, 0, 0.25, 100
STEPS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64]


def read(folder, name):
    plain, packed = Path(folder) / name, Path(folder) / (name + ".gz")
    data = plain.read_bytes() if plain.exists() else gzip.decompress(packed.read_bytes())
    dimensions = data[3]
    shape = numpy.frombuffer(data, ">u4", dimensions, 4)
    return numpy.frombuffer(data, numpy.uint8, offset=4 + 4 * dimensions).reshape(shape)


def features(images):
    x = images.reshape(len(images), -1).astype(numpy.float32) / 255
    return numpy.hstack([x, numpy.ones((len(x), 1), numpy.float32)])


def gradient(w, x, y):
    z = x @ w
    z = numpy.exp(z - z.max(axis=1, keepdims=True))
    z /= z.sum(axis=1, keepdims=True)
    z[numpy.arange(len(y)), y] -= 1
    return x.T @ z / len(y)


def mixing(active):
    """Metropolis weights of the ring's edges between workers that take part."""
    p = numpy.eye(WORKERS, dtype=numpy.float32)
    edges = [(i, (i + 1) % WORKERS) for i in range(WORKERS)]
    edges = [(i, j) for i, j in edges if active[i] and active[j]]
    degree = [sum(i in e for e in edges) for i in range(WORKERS)]
    for i, j in edges:
        weight = 1 / (1 + max(degree[i], degree[j]))
        p[i, j] = p[j, i] = weight
        p[i, i] -= weight
        p[j, j] -= weight
    return p


class Method:
    sends = 1

    def __init__(self, name, shape, step):
        self.scale = numpy.ones((WORKERS, 1, 1), numpy.float32)
        if name == "scaled":
            self.scale[SLOW] = 1 / TAKES_PART
        self.rho = float(name.split("=")[1]) if "=" in name else 0
        self.c = numpy.zeros(shape, numpy.float32)
        self.step = step

    def round(self, w, g, p, active):
        moved = w - active * self.step * self.scale * g + active * self.c
        mixed = numpy.einsum("ij,jkl->ikl", p, moved)
        self.c += self.rho * (mixed - moved)
        return mixed


class QuasiGlobalMomentum(Method):
    def round(self, w, g, p, active):
        mixed = numpy.einsum("ij,jkl->ikl", p, w - active * self.step * (g + 0.9 * self.c))
        self.c += active * (0.1 * (w - mixed) / self.step - 0.1 * self.c)
        return mixed


class GradientTracking(Method):
    sends = 2

    def __init__(self, name, shape, step):
        super().__init__(name, shape, step)
        self.last = numpy.zeros(shape, numpy.float32)

    def round(self, w, g, p, active):
        self.c += active * (g - self.last)
        self.last = numpy.where(active, g, self.last)
        moved = w - active * self.step * self.c
        self.c = numpy.einsum("ij,jkl->ikl", p, self.c)
        return numpy.einsum("ij,jkl->ikl", p, moved)


METHODS = {"plain": Method, "scaled": Method, "quasi": QuasiGlobalMomentum, "tracking": GradientTracking, "rho = 0.01": Method,
           "rho = 0.05": Method, "rho = 0.2": Method, "rho = 1": Method}


def run(data, name, step, seed, rounds):
    train_x, train_y, test_x, test_y = data
    draw = numpy.random.default_rng(seed)
    shards = numpy.array_split(numpy.argsort(train_y, kind="stable"), 2 * WORKERS)
    dealt = draw.permutation(2 * WORKERS)
    rows = [numpy.concatenate([shards[s] for s in dealt[2 * i:2 * i + 2]]) for i in range(WORKERS)]
    shape = (WORKERS, train_x.shape[1], 10)
    w = numpy.zeros(shape, numpy.float32)
    method = METHODS[name](name, shape, step)
    with numpy.errstate(all="ignore"):
        for _ in range(rounds):
            active = numpy.ones(WORKERS, bool)
            active[SLOW] = draw.random() < TAKES_PART
            g = numpy.zeros(shape, numpy.float32)
            for i in numpy.flatnonzero(active):
                chosen = draw.choice(rows[i], BATCH)
                g[i] = gradient(w[i], train_x[chosen], train_y[chosen])
            w = method.round(w, g, mixing(active), active[:, None, None])
        own = numpy.bincount(train_y[rows[SLOW]], minlength=10) * 10 >= len(rows[SLOW])
        right = [(test_x @ m).argmax(axis=1) == test_y for m in (w.mean(axis=0), *w)]
    return right[0].mean(), min(r.mean() for r in right[1:]), right[0][own[test_y]].mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--rounds", type=int, default=600)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    given = parser.parse_args()
    data = (features(read(given.data, "train-images-idx3-ubyte")), read(given.data, "train-labels-idx1-ubyte"),
            features(read(given.data, "t10k-images-idx3-ubyte")), read(given.data, "t10k-labels-idx1-ubyte"))
    print(f"{'method':12} {'step':>5} {'bytes':>5}  {'accuracy':16} {'worst worker':16} slow's classes (+-: standard error)")
    for name, method in METHODS.items():
        step = max(STEPS, key=lambda s: run(data, name, s, TUNING_SEED, given.rounds)[0])
        each = list(zip(*(run(data, name, step, seed, given.rounds) for seed in given.seeds)))
        shown = [f"{statistics.mean(x):.4f} +- {statistics.stdev(x) / math.sqrt(len(x)) if len(x) > 1 else 0:.4f}" for x in each]
        print(f"{name:12} {step:5} {method.sends:5}  " + " ".join(shown), flush=True)


if __name__ == "__main__":
    main()
