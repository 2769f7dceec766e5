"""Logistic regression in NumPy on samples that it draws itself: the smallest trainer of all.

    dybw run --trainer "python3 examples/numpy_logistic.py" --workers 4 --policy dtur
    DYBW_STEPS=300 python3 examples/numpy_logistic.py       # alone
"""

import dybw
import numpy as np

FEATURES, SAMPLES, TEST_SAMPLES = 20, 10_000, 2_000
STEP_SIZE = 0.1

place = dybw.join()
draw = np.random.default_rng(0)  # the same samples in every worker; shard() says which of them are its own
truth = draw.normal(size=FEATURES)
x = draw.normal(size=(SAMPLES + TEST_SAMPLES, FEATURES))
y = (x @ truth + draw.normal(size=len(x)) > 0).astype(int)
test_x, test_y = x[SAMPLES:], y[SAMPLES:]

w, b = np.zeros(FEATURES), np.zeros(1)
data = place.shard((x[:SAMPLES], y[:SAMPLES]), batch=64)
place.bind_arrays({"w": w, "b": b}, local={"data": data})


def loss_of(z, y):
    """The mean of -log p(y), for p = 1 / (1 + exp(-z))."""
    return np.mean(np.logaddexp(0, z) - y * z)


@place.evaluate
def score():
    z = test_x @ w + b
    return {"accuracy": np.mean((z > 0) == test_y), "loss": loss_of(z, test_y)}


for step in place.steps():
    batch, labels = next(data)
    z = batch @ w + b
    error = 1 / (1 + np.exp(-z)) - labels
    w -= STEP_SIZE * batch.T @ error / len(labels)  # in place: w is the array that was bound
    b -= STEP_SIZE * error.mean()
    step.done(loss=loss_of(z, labels), samples=len(labels))
