"""A small convolutional network on MNIST, whose four files lie in one directory, plain or gzipped.

    dybw run --trainer "python3 examples/pytorch_mnist.py" --workers 4 --data data/mnist --policy dtur
    DYBW_DATA=data/mnist DYBW_STEPS=300 python3 examples/pytorch_mnist.py       # alone
"""

import gzip
import os

import dybw
import torch
from torch import nn
from torch.nn import functional


def read(folder, name):
    """An IDX file as a tensor of bytes, [samples] or [samples, rows, columns]."""
    path = os.path.join(folder, name)
    with open(path, "rb") if os.path.exists(path) else gzip.open(path + ".gz") as file:
        data = bytearray(file.read())
    shape = [int.from_bytes(data[4 * i : 4 * i + 4], "big") for i in range(1, data[3] + 1)]
    return torch.frombuffer(data, dtype=torch.uint8, offset=4 + 4 * len(shape)).reshape(shape)


place = dybw.join()
folder = place.data or "."
images, labels = read(folder, "train-images-idx3-ubyte"), read(folder, "train-labels-idx1-ubyte").long()
test_x, test_y = read(folder, "t10k-images-idx3-ubyte"), read(folder, "t10k-labels-idx1-ubyte").long()

torch.manual_seed(place.seed)
net = nn.Sequential(
    nn.Conv2d(1, 16, 5, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 5, stride=2), nn.ReLU(), nn.Flatten(),
    nn.Linear(512, 10)).to(place.device)
opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
data = place.shard((images, labels), batch=64)
place.bind(net, local={"opt": opt, "data": data})


def forward(x):
    return net(x[:, None].to(place.device).float() / 255)


@place.evaluate
def score():
    outputs = torch.cat([forward(x) for x in test_x.split(1000)]).cpu()
    return {"accuracy": (outputs.argmax(1) == test_y).float().mean(),
            "loss": functional.cross_entropy(outputs, test_y)}


for step in place.steps():
    x, y = next(data)
    opt.zero_grad()
    loss = functional.cross_entropy(forward(x), y.to(place.device))
    loss.backward()
    opt.step()
    step.done(loss=loss, samples=len(y))
