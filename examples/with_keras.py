"""A training of Keras, recorded by one callback, whatever the backend is.

    KERAS_BACKEND=jax python examples/with_keras.py
    deeptracker serve runs/

Keras shows callbacks no gradients: their measures are undefined, everything else is recorded.
"""

import keras
from sklearn.datasets import load_digits

import deeptracker

digits = load_digits()
images = (digits.images / 16).astype("float32")[..., None]

keras.utils.set_random_seed(0)
model = keras.Sequential(
    [
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(16, 3, padding="same", activation="relu", name="conv1"),
        keras.layers.DepthwiseConv2D(3, padding="same", name="depthwise"),
        keras.layers.BatchNormalization(),
        keras.layers.Conv2D(16, 3, padding="same", activation="relu", name="conv2"),
        keras.layers.Flatten(),
        keras.layers.Dense(10, name="head"),
    ]
)
model.compile(keras.optimizers.SGD(0.05, momentum=0.9), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
model.fit(
    images[:1200],
    digits.target[:1200],
    batch_size=64,
    epochs=4,
    verbose=0,
    callbacks=[
        deeptracker.KerasCallback("runs/keras", validation=(images[1200:], digits.target[1200:]), every=5),
    ],
)
