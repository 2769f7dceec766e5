"""Hosts for measurements: network namespaces on one bridge, each behind a cable that `tc` shapes (needs root, `ip` and `tc`)."""

import contextlib
import os
import subprocess
import time


def ip(*words, check=True):
    subprocess.run(["ip", *words], check=check)


class ShapedHosts:
    """`count` hosts, 10.78.0.1 and so on, that send `mbit` Mbit/s at most; gone at the end."""

    def __init__(self, count, mbit, burst="64kb"):
        self.names = [f"dybwlink{os.getpid()}-{i}" for i in range(count)]
        self.switch = f"dybwlink{os.getpid()}-s"
        self.shape = ["tbf", "rate", f"{mbit}mbit", "burst", burst, "latency", "200ms"]

    def __enter__(self):
        try:
            self.set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def set_up(self):
        for name in [self.switch, *self.names]:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", self.switch, "link", "add", "bridge", "type", "bridge")
        ip("-n", self.switch, "link", "set", "bridge", "up")
        for i, name in enumerate(self.names):
            ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", f"port{i}", "netns", self.switch)
            ip("-n", self.switch, "link", "set", f"port{i}", "master", "bridge", "up")
            ip("-n", name, "addr", "add", f"10.78.0.{i + 1}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            ip("netns", "exec", name, "tc", "qdisc", "add", "dev", "eth0", "root", *self.shape)

    def __exit__(self, *_):
        for name in [*self.names, self.switch]:
            ip("netns", "del", name, check=False)

    def run(self, host, command, **more):
        return subprocess.Popen(["ip", "netns", "exec", self.names[host], *command], **more)

    def addresses(self):
        """Of the nodes, as `dybw run --nodes` takes them."""
        return ",".join(f"10.78.0.{i + 1}:7000" for i in range(len(self.names)))

    @contextlib.contextmanager
    def nodes(self, program, *options):
        """A `dybw node` on each."""
        running = [self.run(i, [program, "node", "--listen", address, "--insecure", "--quiet", *options])
                   for i, address in enumerate(self.addresses().split(","))]
        try:
            time.sleep(2)
            yield
        finally:
            for node in running:
                node.terminate()
            for node in running:
                node.wait(timeout=60)
