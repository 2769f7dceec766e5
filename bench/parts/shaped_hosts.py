"""Hosts for measurements: network namespaces on one bridge, each behind a cable that `tc` shapes (needs root, `ip` and `tc`)."""

import os
import subprocess


def ip(*words):
    subprocess.run(["ip", *words], check=True)


class ShapedHosts:
    """`count` hosts, 10.78.0.1 and so on, that send `mbit` Mbit/s at most; gone at the end."""

    def __init__(self, count, mbit, burst="64kb"):
        self.names = [f"dybwlink{os.getpid()}-{i}" for i in range(count)]
        self.switch = f"dybwlink{os.getpid()}-s"
        self.shape = ["tbf", "rate", f"{mbit}mbit", "burst", burst, "latency", "200ms"]

    def __enter__(self):
        for name in [self.switch, *self.names]:
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", self.switch, "link", "add", "bridge", "type", "bridge")
        ip("-n", self.switch, "link", "set", "bridge", "up")
        for i, name in enumerate(self.names):
            ip("-n", name, "link", "add", "eth0", "type", "veth", "peer", "name", f"port{i}", "netns", self.switch)
            ip("-n", self.switch, "link", "set", f"port{i}", "master", "bridge", "up")
            ip("-n", name, "addr", "add", f"{self.address(i)}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")
            subprocess.run(["ip", "netns", "exec", name, "tc", "qdisc", "add", "dev", "eth0", "root", *self.shape], check=True)
        return self

    def __exit__(self, *_):
        for name in [*self.names, self.switch]:
            subprocess.run(["ip", "netns", "del", name], check=False)

    @staticmethod
    def address(host):
        return f"10.78.0.{host + 1}"

    def run(self, host, command, **more):
        return subprocess.Popen(["ip", "netns", "exec", self.names[host], *command], **more)
