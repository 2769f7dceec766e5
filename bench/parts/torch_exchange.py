#!/usr/bin/env python3
"""Six PyTorch loops on a ring: alone, through dybw, and averaging by Gloo and by MPI, in turns.

    bench/parts/torch_exchange.py build/rel/apps/dybw [--turns 3] [--seconds 8] [--where]

Samples per second of all six, medians over the turns, and their share of the same loops with no exchange at all. One
thread each, random images of MNIST's size; install OpenBLAS (Debian: libopenblas0-pthread), without which Debian's PyTorch
multiplies matrices at a twentieth of the speed. dybw runs --policy full; the others average with both neighbours after every
step, as Gloo's (torch.distributed) or MPI's (mpi4py, if it is installed) point-to-point messages have it. With --where, in
place of all that: where the processors' time goes per step of dybw, on a machine that does nothing else.
"""

import argparse
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WORKERS = 6
MODELS = {"softmax": ((), 1024), "mlp:256,256": ((256, 256), 256)}


class Loop:
    """One worker's network, data and step."""

    def __init__(self, model, device="cpu"):
        import torch

        torch.set_num_threads(1)
        torch.manual_seed(1)
        hidden, self.batch = MODELS[model]
        layers, width = [], 784
        for size in hidden:
            layers += [torch.nn.Linear(width, size), torch.nn.ReLU()]
            width = size
        self.net = torch.nn.Sequential(*layers, torch.nn.Linear(width, 10))
        self.opt = torch.optim.SGD(self.net.parameters(), lr=0.01)
        self.images = torch.rand(20 * self.batch, 784)
        self.labels = torch.randint(0, 10, (len(self.images),))
        self.at = 0

    def step(self):
        import torch

        rows = slice(self.at, self.at + self.batch)
        self.at = (self.at + self.batch) % len(self.images)
        self.opt.zero_grad()
        loss = torch.nn.functional.cross_entropy(self.net(self.images[rows]), self.labels[rows])
        loss.backward()
        self.opt.step()
        return loss


def as_trainer(model):
    import dybw

    place = dybw.join()
    loop = Loop(model)
    for _ in range(5):  # the first take longer
        loop.step()
    place.bind(loop.net)
    for step in place.steps():
        step.done(loss=loop.step(), samples=loop.batch)


def averager(kind, net):
    """A function that averages the network with those of both neighbours on the ring."""
    import torch

    flat = torch.nn.utils.parameters_to_vector(net.parameters()).detach()
    left, right = torch.empty_like(flat), torch.empty_like(flat)
    if kind == "none":
        return lambda: None
    if kind == "gloo":
        import torch.distributed as dist

        me, n = dist.get_rank(), WORKERS

        def exchange(own):
            waits = [dist.isend(own, (me + 1) % n), dist.isend(own, (me - 1) % n),
                     dist.irecv(left, (me - 1) % n), dist.irecv(right, (me + 1) % n)]
            for w in waits:
                w.wait()
    else:
        from mpi4py import MPI

        world = MPI.COMM_WORLD
        me, n = world.Get_rank(), WORKERS

        def exchange(own):
            buffer = own.numpy()
            MPI.Request.Waitall([
                world.Isend(buffer, (me + 1) % n, 1), world.Isend(buffer, (me - 1) % n, 2),
                world.Irecv(left.numpy(), (me - 1) % n, 1), world.Irecv(right.numpy(), (me + 1) % n, 2)])

    def average():
        own = torch.nn.utils.parameters_to_vector(net.parameters()).detach()
        exchange(own)
        torch.nn.utils.vector_to_parameters((own + left + right) / 3, net.parameters())

    return average


def as_process(kind, model, seconds, start_at):
    """Prints samples and seconds of one of six processes that begin together."""
    if kind == "gloo":
        import torch.distributed as dist

        dist.init_process_group("gloo")
    loop = Loop(model)
    average = averager(kind, loop.net)
    for _ in range(5):
        loop.step()
        average()
    while kind == "none" and time.time() < start_at:
        time.sleep(0.001)
    begin = time.perf_counter()
    # A fixed number of steps, so that all make equally many: those that fit, by the pace of the first few.
    for _ in range(5):
        loop.step()
        average()
    steps = max(5, int(seconds / ((time.perf_counter() - begin) / 5)))
    if kind == "gloo":
        import torch
        import torch.distributed as dist

        agreed = torch.tensor([steps])
        dist.all_reduce(agreed, dist.ReduceOp.MIN)
        steps = int(agreed)
    elif kind == "mpi":
        from mpi4py import MPI

        steps = MPI.COMM_WORLD.allreduce(steps, MPI.MIN)
    begin = time.perf_counter()
    for _ in range(steps):
        loop.step()
        average()
    sys.stdout.write(f"{steps * loop.batch} {time.perf_counter() - begin}\n")  # whole, beside those of others
    sys.stdout.flush()


def rate_of_processes(kind, model, seconds, environment):
    me = [sys.executable, __file__, "--as", kind, "--model", model, "--seconds", str(seconds), "--start-at",
          str(time.time() + 6)]
    if kind == "mpi":
        out = subprocess.run(["mpiexec", "--oversubscribe", "--allow-run-as-root", "-n", str(WORKERS), *me],
                             check=True, capture_output=True, text=True, env=environment).stdout
    else:
        processes = []
        for rank in range(WORKERS):
            own = dict(environment, RANK=str(rank), WORLD_SIZE=str(WORKERS), MASTER_ADDR="127.0.0.1",
                       MASTER_PORT="29471", GLOO_SOCKET_IFNAME="lo")
            processes.append(subprocess.Popen(me, stdout=subprocess.PIPE, text=True, env=own))
        out = "".join(p.communicate()[0] for p in processes)
    pairs = [tuple(map(float, line.split())) for line in out.splitlines()]
    return sum(samples for samples, _ in pairs) / max(took for _, took in pairs)


def run_dybw(dybw, model, seconds, environment):
    run = subprocess.run(
        [dybw, "run", "--trainer", f"{sys.executable} {Path(__file__).resolve()} --as trainer --model {model}",
         "--workers", str(WORKERS), "--topology", "ring", "--policy", "full", "--time-limit", str(seconds), "--quiet",
         "--format", "json"],
        check=True, capture_output=True, text=True, env=environment)
    return json.loads(run.stdout)["runs"][0]


def rate_of_dybw(dybw, model, seconds, environment):
    result = run_dybw(dybw, model, seconds, environment)
    return result["samples"] / result["duration_s"]


def show_where(dybw, model, seconds, environment):
    """A long run less a short one: what begins and ends a run is in both."""
    totals = []
    for length in (seconds / 4, seconds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = run_dybw(dybw, model, length, environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processors = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        totals.append((result["local_steps"], os.cpu_count() * result["duration_s"], result["host_cpu_s"],
                       processors - result["host_cpu_s"]))
    steps, there, own, trainers = (b - a for a, b in zip(*totals))
    print(f"{model:<12} us per step: dybw {own / steps * 1e6:.0f}, trainers {trainers / steps * 1e6:.0f}, idle "
          f"{(there - own - trainers) / steps * 1e6:.0f}", flush=True)


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("dybw", nargs="?")
    options.add_argument("--turns", type=int, default=3)
    options.add_argument("--seconds", type=float, default=8)
    options.add_argument("--where", action="store_true")
    options.add_argument("--as", dest="role", help=argparse.SUPPRESS)
    options.add_argument("--model", choices=MODELS, help=argparse.SUPPRESS)
    options.add_argument("--start-at", type=float, default=0, help=argparse.SUPPRESS)
    given = options.parse_args()
    if given.role == "trainer":
        return as_trainer(given.model)
    if given.role:
        return as_process(given.role, given.model, given.seconds, given.start_at)
    package = Path(__file__).resolve().parents[2] / "python"
    environment = dict(os.environ, PYTHONPATH=str(package), OMP_NUM_THREADS="1")
    if given.where:
        for model in MODELS:
            show_where(given.dybw, model, given.seconds, environment)
        return None
    kinds = ["none", "dybw", "gloo"] + (["mpi"] if importlib.util.find_spec("mpi4py") else [])
    for model in MODELS:
        rates = {kind: [] for kind in kinds}
        for _ in range(given.turns):
            for kind in kinds:
                rates[kind].append(
                    rate_of_dybw(given.dybw, model, given.seconds, environment) if kind == "dybw"
                    else rate_of_processes(kind, model, given.seconds, environment))
        for kind in kinds:
            share = statistics.median(rates[kind]) / statistics.median(rates["none"])
            print(f"{model:<12} {kind:<5} {statistics.median(rates[kind]):>12,.0f} samples/s  {share:5.2f}", flush=True)


if __name__ == "__main__":
    main()
