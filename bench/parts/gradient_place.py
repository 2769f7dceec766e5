#!/usr/bin/env python3
"""Where a worker that averages without waiting computes its gradient, while answers are under way on slow links.

    bench/parts/gradient_place.py MNIST [--seeds 1 2] [--step-size 0.32] [--block 0.26] [--latency 0.0125]

A simulation of events by the formulas alone, no part of the program: sixteen workers on a random graph of degree 4, MNIST softmax, batches
of 4. A step takes 0.9 to 1.1 s; after it a worker offers its estimate to all neighbours, who answer with theirs at once; both ends add a fifth of
the difference of the two estimates that were sent. Blocks follow each other on a link, one in each direction at a time. Printed: seconds until the
mean of three tests in a row of the average model, every 10 s, is 0.915; and how far workers are from their mean by then.

  whole       the gradient is computed at the estimate as it is when the step begins
  without     .. less what the answers under way will take over of the last step
  waits       .. when all answers have come
  at once     .. which links carry in no time
  alone       one worker, all data, step size 0.04
  ideal       one worker with batches of 64
"""

import argparse
import heapq
import itertools
import math

import numpy

from unlike_methods import features, gradient, read

WORKERS, DEGREE, BATCH, TARGET, TEST_EVERY, LIMIT = 16, 4, 4, 0.915, 10, 6000
SHARE = 1 / (1 + DEGREE)


def random_graph(draw):
    """[worker]: its neighbours; every worker has DEGREE of them, and all are joined."""
    while True:
        ends = draw.permutation(numpy.repeat(numpy.arange(WORKERS), DEGREE)).reshape(-1, 2)
        edges = {(min(a, b), max(a, b)) for a, b in ends.tolist() if a != b}
        if len(edges) < len(ends):
            continue
        neighbours = [[b if a == i else a for a, b in edges if i in (a, b)] for i in range(WORKERS)]
        joined, new = {0}, [0]
        while new:
            new = [j for i in new for j in neighbours[i] if j not in joined and not joined.add(j)]
        if len(joined) == WORKERS:
            return neighbours


def deal(labels, partition, workers, draw):
    if partition == "iid":
        return numpy.array_split(draw.permutation(len(labels)), workers)
    runs = numpy.array_split(numpy.argsort(labels, kind="stable"), 2 * workers)
    dealt = draw.permutation(2 * workers)
    return [numpy.concatenate([runs[s] for s in dealt[2 * i:2 * i + 2]]) for i in range(workers)]


class Worker:
    def __init__(self, rows, shape):
        self.rows = rows
        self.estimate = numpy.zeros(shape, numpy.float32)
        self.last_step = numpy.zeros(shape, numpy.float32)
        self.offered = {}  # neighbour: the estimate that it has not answered yet
        self.newest = set()  # .. of those, who was offered the last step, too
        self.waits = False


class Simulation:
    def __init__(self, data, variant, partition, seed, given):
        self.x, self.y = data[:2]
        self.draw = numpy.random.default_rng(seed)
        self.variant = variant
        self.step_size = 0.04 if variant == "alone" else given.step_size
        self.batch = WORKERS * BATCH if variant == "ideal" else BATCH
        lone = variant in ("alone", "ideal")
        self.neighbours = [[]] if lone else random_graph(self.draw)
        rows = deal(self.y, partition, len(self.neighbours), self.draw)
        self.workers = [Worker(r, (self.x.shape[1], 10)) for r in rows]
        self.block, self.latency = (0, 0) if variant == "at once" else (given.block, given.latency)
        self.free = {}  # (from, to): when the link has carried what it was given
        self.events, self.number = [], itertools.count()
        for i in range(len(self.workers)):
            self.begin_step(0, i)

    def at(self, time, what, *more):
        heapq.heappush(self.events, (time, next(self.number), what, more))

    def send(self, now, a, b, what):
        begins = max(now, self.free.get((a, b), 0))
        self.free[a, b] = begins + self.block
        self.at(begins + self.block + self.latency, what, a, b, self.workers[a].estimate)

    def begin_step(self, now, i):
        w = self.workers[i]
        w.waits = False
        place = w.estimate
        if self.variant == "without":
            place = place - SHARE * len(w.newest) * w.last_step
        chosen = self.draw.choice(w.rows, self.batch)
        step = -self.step_size * gradient(place, self.x[chosen], self.y[chosen])
        self.at(now + self.draw.uniform(0.9, 1.1), self.end_step, i, step)

    def end_step(self, now, i, step):
        w = self.workers[i]
        w.estimate = w.estimate + step
        w.last_step = step
        w.newest = {j for j in self.neighbours[i] if j not in w.offered}
        for j in w.newest:
            w.offered[j] = w.estimate
        for j in self.neighbours[i]:
            if j in w.newest:
                self.send(now, i, j, self.take_offer)
        w.waits = True
        if self.variant not in ("waits", "at once"):
            self.begin_step(now, i)
        self.go_on(now, i)

    def go_on(self, now, i):
        if self.workers[i].waits and not self.workers[i].offered:
            self.begin_step(now, i)

    def take_offer(self, now, a, b, theirs):
        if a in self.workers[b].offered:  # both offered: each is the other's answer
            return self.take_answer(now, a, b, theirs)
        self.send(now, b, a, self.take_answer)
        self.workers[b].estimate = self.workers[b].estimate + SHARE * (theirs - self.workers[b].estimate)

    def take_answer(self, now, a, b, theirs):
        w = self.workers[b]
        w.estimate = w.estimate + SHARE * (theirs - w.offered.pop(a))
        w.newest.discard(a)
        self.go_on(now, b)

    def run_to_target(self, test_x, test_y):
        """Seconds, and how far workers are from their mean then."""
        tests = []
        for due in itertools.count(TEST_EVERY, TEST_EVERY):
            if due > (10 * LIMIT if len(self.workers) == 1 else LIMIT):
                return math.inf, math.nan
            while self.events[0][0] <= due:
                time, _, what, more = heapq.heappop(self.events)
                what(time, *more)
            all_of_them = numpy.stack([w.estimate for w in self.workers])
            mean = all_of_them.mean(axis=0)
            tests.append(((test_x @ mean).argmax(axis=1) == test_y).mean())
            if len(tests) >= 3 and sum(tests[-3:]) >= 3 * TARGET:
                return due - TEST_EVERY, numpy.sqrt(((all_of_them - mean) ** 2).sum(axis=(1, 2))).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--step-size", type=float, default=0.32)
    parser.add_argument("--block", type=float, default=0.26, help="seconds of a link for one estimate")
    parser.add_argument("--latency", type=float, default=0.0125)
    given = parser.parse_args()
    data = (features(read(given.data, "train-images-idx3-ubyte")), read(given.data, "train-labels-idx1-ubyte"))
    test = (features(read(given.data, "t10k-images-idx3-ubyte")), read(given.data, "t10k-labels-idx1-ubyte"))
    print("| data | the gradient | seconds | from the mean |\n|---|---|---:|---:|")
    for partition in ("iid", "shards:2"):
        for variant in ("whole", "without", "waits", "at once", "alone", "ideal"):
            if partition != "iid" and variant in ("alone", "ideal"):
                continue
            found = [Simulation(data, variant, partition, seed, given).run_to_target(*test) for seed in given.seeds]
            print(f"| {partition} | {variant} | {', '.join(f'{t:.0f}' for t, _ in found)} | {numpy.mean([d for _, d in found]):.2f} |", flush=True)


if __name__ == "__main__":
    main()
