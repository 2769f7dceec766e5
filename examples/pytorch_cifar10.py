"""A convolutional network with batch normalisation on CIFAR-10, the binary version, in one directory.

    dybw run --trainer "python3 examples/pytorch_cifar10.py" --workers 4 --data data/cifar-10 --policy dtur
    DYBW_DATA=data/cifar-10 DYBW_STEPS=300 python3 examples/pytorch_cifar10.py      # alone

The running statistics of the normalisation are averaged like the parameters. To keep all of its tensors with
the worker instead (FedBN), add "norms": "*.norm*" to what bind() gets as local.
"""

import glob
import os
from collections import OrderedDict

import dybw
import torch
from torch import nn
from torch.nn import functional


def read(folder, pattern):
    """All files of the pattern: images as bytes, [samples, 3, 32, 32], and classes, [samples]."""
    files = sorted(glob.glob(os.path.join(folder, pattern)))
    if not files:
        raise FileNotFoundError(f"{folder} has no {pattern} of CIFAR-10's binary version")
    rows = torch.cat([torch.frombuffer(bytearray(open(f, "rb").read()), dtype=torch.uint8) for f in files])
    rows = rows.reshape(-1, 1 + 3 * 32 * 32)
    return rows[:, 1:].reshape(-1, 3, 32, 32), rows[:, 0].long()


def block(number, channels_in, channels_out):
    return [(f"conv{number}", nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)),
            (f"norm{number}", nn.BatchNorm2d(channels_out)), (f"relu{number}", nn.ReLU()),
            (f"pool{number}", nn.MaxPool2d(2))]


place = dybw.join()
images, labels = read(place.data or ".", "data_batch_*.bin")
test_x, test_y = read(place.data or ".", "test_batch.bin")
some = images[::10].float()
mean = some.mean((0, 2, 3), keepdim=True).to(place.device)
deviation = some.std((0, 2, 3), keepdim=True).to(place.device)

torch.manual_seed(place.seed)
net = nn.Sequential(OrderedDict([
    *block(1, 3, 16), *block(2, 16, 32), *block(3, 32, 64),
    ("flat", nn.Flatten()), ("out", nn.Linear(1024, 10)),
])).to(place.device)
opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
mirroring = torch.Generator().manual_seed(place.seed + place.worker)
data = place.shard((images, labels), batch=64)
place.bind(net, local={"opt": opt, "data": data, "mirroring": mirroring})


def forward(x):
    return net((x.to(place.device).float() - mean) / deviation)


@place.evaluate
def score():
    outputs = torch.cat([forward(x) for x in test_x.split(500)]).cpu()
    return {"accuracy": (outputs.argmax(1) == test_y).float().mean(),
            "loss": functional.cross_entropy(outputs, test_y)}


for step in place.steps():
    x, y = next(data)
    mirrored = torch.rand(len(x), generator=mirroring) < 0.5
    x = torch.where(mirrored[:, None, None, None], x.flip(3), x)
    opt.zero_grad()
    loss = functional.cross_entropy(forward(x), y.to(place.device))
    loss.backward()
    opt.step()
    step.done(loss=loss, samples=len(y))
