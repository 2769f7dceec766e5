"""torch modules in a run: which tensors are averaged, where they live, and that training is the same as
alone."""

import json
import os
import random
import struct
import subprocess
import sys
import zlib

import pytest
from fake_dybw import LIMIT_S, LOAD, LOADED, PACKAGE, SAVE, SAVED, FakeDybw, memory_of, values_in

from dybw import binding_torch
from dybw.binding_torch import TorchBinding
from dybw.state import pack, unpack
from dybw.wire import MisuseError

torch = pytest.importorskip("torch", reason="skipped: torch is not installed")
torch.set_num_threads(1)

SCRIPT = """
import json, sys
import torch
import dybw

torch.set_num_threads(1)
place = dybw.join()
torch.manual_seed(place.seed)

class Numbers(torch.utils.data.Dataset):
    targets = [i % 3 for i in range(30)]
    def __len__(self):
        return 30
    def __getitem__(self, i):
        return torch.tensor([i / 30, i % 3, 1.0]), i % 3

net = torch.nn.Sequential(
    torch.nn.Linear(3, 8), torch.nn.BatchNorm1d(8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
net[3].bias.requires_grad = False
net = net.to(place.device)
opt = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1, momentum=0.9)
data = place.shard(Numbers(), batch=8)
place.bind(net, local={"opt": opt, "data": data})

@place.evaluate
def score():
    assert not net.training and not torch.is_grad_enabled()
    loader = torch.utils.data.DataLoader(Numbers(), batch_size=30, num_workers=1)  # forks
    ((x, y),) = list(loader)
    return (net(x).argmax(1) == y).float().mean()

for step in place.steps():
    assert net.training and torch.is_grad_enabled()
    x, y = next(data)
    opt.zero_grad()
    loss = torch.nn.functional.cross_entropy(net(x), y)
    loss.backward()
    opt.step()
    step.done(loss=loss, samples=len(y))
    if step.round == 11:
        print(json.dumps([net[0].weight.flatten().tolist(), net[1].running_mean.tolist()]), flush=True)
        print(int(net[1].num_batches_tracked), flush=True)
"""


def test_training_in_a_run_of_one_is_training_alone() -> None:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE), "DYBW_STEPS": "12", "OMP_NUM_THREADS": "1"}
    alone = subprocess.Popen([sys.executable, "-c", SCRIPT], env=environment, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
    with FakeDybw(SCRIPT) as run:
        run.place(seed=1)
        assert run.rows(list(range(30))) == (30, [i % 3 for i in range(30)])
        arrays = run.slots()
        assert [(name, frozen, shape) for name, _, frozen, _, shape in arrays] == [
            ("0.weight", 0, [8, 3]), ("0.bias", 0, [8]), ("1.weight", 0, [8]), ("1.bias", 0, [8]),
            ("3.weight", 0, [3, 8]), ("1.running_mean", 0, [8]), ("1.running_var", 0, [8]),
            ("3.bias", 1, [3])]
        assert {x[1] for x in arrays} == {"float32"}
        now, after = 1, 2
        for number in range(12):
            loss, samples = run.step(now, after, number)
            assert samples == (6 if number % 4 == 3 else 8)
            now, after = after, (0, 2, 3)[number % 3]
            if number == 5:
                ((name, (value, smaller)),) = run.scores(4).items()
                assert (name, smaller) == ("accuracy", 0) and 0 <= value <= 1
                run.say(SAVE)
                saved = run.hear(SAVED)
                run.say(LOAD, saved)
                run.hear(LOADED)
        estimate = run.read(now)
        weight, mean = json.loads(run.bye().splitlines()[0])
    out, error = alone.communicate(timeout=LIMIT_S)
    assert alone.returncode == 0, error
    assert json.loads(out.splitlines()[0]) == [weight, mean]
    assert estimate[:24] == weight
    assert out.splitlines()[1] == "12"
    assert "step 12: accuracy" in error


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
        self.bn = torch.nn.BatchNorm1d(1)
        self.register_buffer("table", torch.ones(3), persistent=False)
        self.register_buffer("usual", torch.zeros(1))
        self.again = self.layer


def bound(net: torch.nn.Module, local: object = None, slots: int = 4) -> tuple:
    binding = TorchBinding(net, local)
    elements = sum(x.elements for x in binding.entries() if not x.frozen)
    memory = memory_of(*[[float(10 * s + i) for i in range(elements)] for s in range(slots)])
    binding.attach(memory, 0)
    return binding, memory


def test_tensors_are_sorted_into_averaged_frozen_and_local() -> None:
    net = Net()
    net.bn.bias.requires_grad = False
    crc = zlib.crc32(struct.pack("<f", 0.25))
    net.bn.bias.data.fill_(0.25)
    found = [(x.name, x.frozen, x.crc) for x in TorchBinding(net, None).entries()]
    assert found == [
        ("layer.weight", False, 0), ("layer.bias", False, 0), ("bn.weight", False, 0), ("usual", False, 0),
        ("bn.running_mean", False, 0), ("bn.running_var", False, 0), ("bn.bias", True, crc)]
    for local in ("*.bn*", ["bn.*"], {"opt": torch.optim.SGD(net.parameters(), lr=1), "norms": "bn.*"}):
        binding = TorchBinding(net, local)
        assert [x.name for x in binding.entries()] == ["layer.weight", "layer.bias", "usual"]
        assert set(binding.save()["tensors"]) == {
            "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "bn.num_batches_tracked"}
    cases = [("*.nb*", "no tensor is called"), ({"opt": 1}, "no state_dict"), ("*", "at least one parameter")]
    for local, words in cases:
        with pytest.raises(MisuseError, match=words):
            TorchBinding(net, local)
    with pytest.raises(MisuseError, match="takes a torch.nn.Module, not a dict"):
        TorchBinding({"w": 1}, None)
    net.complex = torch.nn.Parameter(torch.zeros(1, dtype=torch.complex64))
    with pytest.raises(MisuseError, match="complex is complex64"):
        TorchBinding(net, None)


def test_a_step_works_in_the_slot_and_writes_nothing_elsewhere() -> None:
    net = Net()
    binding, memory = bound(net)
    start = values_in(memory, 0)
    assert start == [*net.layer.weight[0].tolist(), *net.layer.bias.tolist(), 1, 0, 0, 0, 1]
    binding.begin(1, 2)
    assert values_in(memory, 2) == values_in(memory, 1) == [10, 11, 12, 13, 14, 15, 16, 17]
    opt = torch.optim.SGD(net.parameters(), lr=1.0)
    net.layer.weight.grad = torch.ones(1, 2)
    opt.step()
    assert values_in(memory, 2)[:2] == [9, 10], "the optimiser writes into the slot itself"
    net.bn.train()(torch.tensor([[1.0], [3.0]]))
    assert values_in(memory, 2)[6:] == pytest.approx([0.9 * 16 + 0.2, 0.9 * 17 + 0.2])
    assert int(net.bn.num_batches_tracked) == 1
    binding.finish()
    assert values_in(memory, 1) == [10, 11, 12, 13, 14, 15, 16, 17]
    assert values_in(memory, 0) == start
    binding.guard()
    binding.show(3)
    with torch.no_grad():
        assert net.layer.weight.tolist() == [[30, 31]]
        net.layer.weight.add_(1)
    assert values_in(memory, 3)[:2] == [30, 31]
    binding.guard()
    binding.begin(3, 1)
    assert net.layer.weight.tolist() == [[30, 31]]
    binding.finish()
    binding.release()
    with torch.no_grad():
        net.layer.weight.add_(1)
    assert values_in(memory, 1)[:2] == [30, 31]
    assert net.layer.weight.tolist() == [[31, 32]]


def test_what_is_put_in_the_place_of_values_reaches_the_slot() -> None:
    net = Net()
    binding, memory = bound(net)
    binding.begin(1, 2)
    net.layer.weight.data = net.layer.weight.data * 2
    net.usual = net.usual + 0.5
    binding.finish()
    assert values_in(memory, 2) == [20, 22, 12, 13, 14, 15.5, 16, 17]
    binding.begin(2, 3)
    net.usual += 1
    assert values_in(memory, 3)[5] == 16.5


def test_a_network_that_changes_during_a_run_is_refused() -> None:
    def replace(net: Net) -> None:
        net.bn.weight = torch.nn.Parameter(torch.ones(1))

    for change, words in [
        (replace, "bn.weight is another parameter"),
        (lambda net: net.double(), r"has become float64 \[1, 2\]; it was bound as float32 \[1, 2\]"),
        (lambda net: setattr(net.layer.weight, "data", torch.zeros(2, 2)), r"has become float32 \[2, 2\]"),
    ]:
        net = Net()
        binding, _ = bound(net)
        binding.begin(1, 2)
        change(net)
        with pytest.raises(MisuseError, match=words):
            binding.finish()
    net = Net()
    net.layer.bias.requires_grad = False
    binding, _ = bound(net)
    net.layer.bias.requires_grad = True
    with pytest.raises(MisuseError, match="layer.bias was frozen at bind"):
        binding.begin(1, 2)


def test_changes_after_done_are_noticed_or_reach_nobody() -> None:
    net = Net()
    binding, memory = bound(net)
    binding.begin(1, 2)
    binding.finish()
    net.bn.train()(torch.tensor([[1.0], [3.0]]))  # moves running statistics, which no version counter shows
    assert values_in(memory, 2) == values_in(memory, 1)
    assert net.bn.running_mean.tolist() != [16]
    binding.guard()
    with torch.no_grad():
        net.layer.weight.add_(1)
    with pytest.raises(MisuseError, match="layer.weight was changed after step.done"):
        binding.guard()


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_less_precise_tensors_return_their_change(kind: torch.dtype) -> None:
    net = torch.nn.Linear(2, 1, bias=False).to(kind)
    binding = TorchBinding(net, None)
    assert [x.type for x in binding.entries()] == [str(kind)[6:]]
    memory = memory_of([0, 0], [1.0003, 2.9999], [0, 0])
    binding.attach(memory, 0)
    binding.begin(1, 2)
    assert net.weight.tolist() == [[1, 3]]
    net.weight.data += 0.5
    binding.finish()
    assert values_in(memory, 2) == pytest.approx([1.5003, 3.4999], abs=1e-6)
    binding.begin(2, 0)
    binding.finish()
    assert values_in(memory, 0) == values_in(memory, 2), "without a change nothing moves"


def test_other_types_and_layouts_are_copied() -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(2, 2, 2, bias=False).to(memory_format=torch.channels_last),
                              torch.nn.Linear(1, 1, bias=False).double())
    binding, memory = bound(net)
    binding.begin(1, 2)
    assert net[0].weight.flatten().tolist() == [10.0 + i for i in range(16)]
    net[0].weight.data += 1
    net[1].weight.data += 0.5
    binding.finish()
    assert values_in(memory, 2) == [11.0 + i for i in range(16)] + [26.5]


def test_tensors_on_an_accelerator_live_in_one_flat_tensor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding_torch, "_on_one_accelerator", lambda devices: True)
    net = Net()
    binding, memory = bound(net)
    homes = set()
    for source, target in ((1, 2), (3, 0)):
        before = values_in(memory, source)
        binding.begin(source, target)
        homes.add(net.layer.weight.data_ptr())
        with torch.no_grad():
            net.layer.weight.add_(1)
        net.usual = net.usual + 1
        binding.finish()
        assert values_in(memory, target) == [x + (i in (0, 1, 5)) for i, x in enumerate(before)]
        assert values_in(memory, source) == before
    assert len(homes) == 1
    binding.show(3)
    assert net.layer.weight.tolist() == [[30, 31]]


def test_the_state_of_an_optimiser_comes_back() -> None:
    def stepped(net: torch.nn.Module, opt: torch.optim.Optimizer) -> None:
        net.weight.grad = net.weight.detach() ** 2 + 1
        opt.step()

    net = torch.nn.Linear(2, 1, bias=False)
    opt = torch.optim.AdamW(net.parameters(), lr=0.1)
    generator = torch.Generator()
    python = random.Random(4)
    binding = TorchBinding(net, {"opt": opt, "noise": generator, "python": python})
    stepped(net, opt)
    def drawn() -> tuple:
        own = torch.rand(1, generator=generator).item(), python.random()
        return (*own, torch.rand(1).item(), random.random())

    saved, weight = pack(binding.save()), net.weight.detach().clone()
    expected = drawn()
    stepped(net, opt)
    after = net.weight.tolist()
    net.weight.data.copy_(weight)
    stepped(net, opt)
    assert net.weight.tolist() != after
    binding.load(unpack(saved))
    assert drawn() == expected
    net.weight.data.copy_(weight)
    stepped(net, opt)
    assert net.weight.tolist() == after
    with pytest.raises(RuntimeError, match="has opt, noise, python where local= names opt"):
        TorchBinding(net, {"opt": opt}).load(unpack(saved))


def test_a_score_leaves_modes_as_they_were() -> None:
    net = Net()
    net.bn.eval()
    with TorchBinding(net, None).scoring():
        assert not net.training and not torch.is_grad_enabled()
    assert net.training and not net.bn.training and torch.is_grad_enabled()
