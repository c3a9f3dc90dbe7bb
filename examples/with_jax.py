"""A training in plain JAX, recorded by the arrays that it has.

    python examples/with_jax.py
    deeptracker serve runs/

Parameters are nested as Flax nests them, so with Flax `kernels` is the same. The layout says that output units are the
last dimension of a kernel: height x width x inputs x outputs.
"""

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.datasets import load_digits

import deeptracker

BATCH, EVERY, ITERATIONS = 64, 5, 80

digits = load_digits()
images = jnp.asarray(digits.images[..., None] / 16, jnp.float32)
labels = jnp.asarray(digits.target)


def layer(key, *shape):
    fan_in = np.prod(shape[:-1])
    return {"kernel": jax.random.normal(key, shape) * (2 / fan_in) ** 0.5, "bias": jnp.zeros(shape[-1])}


def apply(params, x):
    for name in ("conv1", "conv2"):
        x = jax.lax.conv_general_dilated(
            x, params[name]["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = jax.nn.relu(x + params[name]["bias"])
    return x.reshape(len(x), -1) @ params["head"]["kernel"] + params["head"]["bias"]


def loss_of(params, x, y):
    return -jnp.take_along_axis(jax.nn.log_softmax(apply(params, x)), y[:, None], 1).mean()


@jax.jit
def step(params, x, y):
    loss, gradients = jax.value_and_grad(loss_of)(params, x, y)
    return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradients), loss, gradients


def kernels(tree):
    return {name: parts["kernel"] for name, parts in tree.items()}


keys = jax.random.split(jax.random.key(0), 3)
params = {
    "conv1": layer(keys[0], 3, 3, 1, 16),
    "conv2": layer(keys[1], 3, 3, 16, 16),
    "head": layer(keys[2], 1024, 10),
}
evaluate = jax.jit(lambda params: apply(params, images[1200:]))

with deeptracker.ArrayRecorder(
    "runs/jax", kernels(params), layout="...io", validation=(images[1200:], labels[1200:]), every=EVERY
) as recorder:
    recorder.log_dump(0, kernels(params), predictions=evaluate(params))
    for iteration in range(1, ITERATIONS + 1):
        batch = np.random.default_rng(iteration).integers(0, 1200, BATCH)
        before = params
        params, loss, gradients = step(params, images[batch], labels[batch])
        recorder.log(iteration, loss=loss)
        if recorder.is_due(iteration):
            recorder.log_dump(
                iteration, kernels(params), kernels(gradients), evaluate(params), before=kernels(before)
            )  # fmt: skip
