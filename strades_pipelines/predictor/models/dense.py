"""A small dense network in Keras.

TensorFlow takes seconds to import, so it comes in only when a network is fitted or asked. One network and one compiled
training step serve every month of a process: weights and optimizer are reset, batches have one fixed shape.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from strades_pipelines.predictor.dataset import Training
from strades_pipelines.predictor.models.kind import Kind
from strades_pipelines.predictor.windows import Floats

PARAMETERS: dict[str, Any] = {
    "units": 8, "activation": "tanh", "l2": 0.01, "learning_rate": 0.01, "epochs": 20, "batch": 256, "clip": 5.0,
    "onednn": False,
}  # fmt: skip
Weights = list[np.ndarray[Any, np.dtype[Any]]]


def framework() -> Any:
    """Keras on TensorFlow, quiet, on the processor, in one thread, and without oneDNN, which changes the last bits."""
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with _standard_error_held():
        import keras
        import tensorflow  # type: ignore[import-untyped]  # noqa: F401

    return keras


@contextmanager
def _standard_error_held() -> Iterator[None]:
    """Keep what TensorFlow's libraries write to descriptor 2 while they load: no log level reaches that.

    Should the loading fail, it is let out.
    """
    kept = os.dup(2)
    with TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def fit(training: Training, seed: int) -> Any:
    """A network fitted on nothing but these rows: their means and scales, then the weights."""
    network, reset_weights, step = _compile_training_step(training.x.shape[1])
    random = np.random.default_rng(seed)
    x, y, mean, scale, unit = _standard(training)
    reset_weights(_first_weights(network, random))
    batch, count = PARAMETERS["batch"], len(y)
    weights = (np.arange(-(-count // batch) * batch) < count).astype(np.float32)
    for _ in range(PARAMETERS["epochs"]):
        order = np.resize(random.permutation(count), len(weights))  # the last batch is filled up with weight 0
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            loss = step(x[rows], y[rows], weights[start : start + batch])
    if not np.isfinite(float(loss)):
        raise ValueError("the network's loss is not a finite number")
    return _copy(network, mean, scale, unit)


def predict(network: Any, features: Floats) -> Floats:
    """The network's values, in double precision and one fixed order: its own depend on how many rows a batch has."""
    values = features
    for layer in network.layers:
        parts = [np.asarray(part, np.float64) for part in layer.get_weights()]
        if type(layer).__name__ == "BatchNormalization":
            values = (values - parts[0]) / np.sqrt(parts[1] + layer.epsilon)
            values = np.clip(np.where(np.isnan(values), 0.0, values), -PARAMETERS["clip"], PARAMETERS["clip"])
        else:
            total = np.tile(parts[1], (len(values), 1))
            for column, weights in zip(values.T, parts[0], strict=True):
                total += column[:, None] * weights
            values = np.tanh(total) if layer.activation.__name__ == "tanh" else total
    return np.ascontiguousarray(values[:, 0])


def numbers(network: Any) -> Weights:
    """Means, variances and weights."""
    weights: Weights = network.get_weights()
    return weights


def _standard(training: Training) -> tuple[Any, Any, Floats, Floats, float]:
    """The rows standardised, missing values at the mean and far ones clipped, with what that took.

    A column at a time: years of a firm's universe are hundreds of megabytes, and each step would copy them.
    """
    x = np.empty(training.x.shape, np.float32)
    mean, scale = np.empty((2, training.x.shape[1]))
    for place, column in enumerate(training.x.T):
        present = ~np.isnan(column)
        count = max(int(present.sum()), 1)
        mean[place] = np.where(present, column, 0.0).sum() / count
        variance = (np.where(present, column - mean[place], 0.0) ** 2).sum() / count
        scale[place] = np.sqrt(variance) if variance > 0.0 else 1.0
        standard = np.where(present, (column - mean[place]) / scale[place], 0.0)
        x[:, place] = np.clip(standard, -PARAMETERS["clip"], PARAMETERS["clip"])
    unit = float(training.target.std()) or 1.0
    return x, (training.target / unit).astype(np.float32), mean, scale, unit


def _first_weights(network: Any, random: np.random.Generator) -> Weights:
    """Glorot and Bengio's uniform weights (2010), and no bias."""
    weights: Weights = []
    for shape in (weight.shape for weight in network.trainable_weights):
        reach = np.sqrt(6.0 / sum(shape)) if len(shape) == 2 else 0.0
        weights.append(random.uniform(-1.0, 1.0, shape) * reach)
    return weights


@cache
def _compile_training_step(features: int) -> Any:
    """The network in training, a function that resets its weights and optimizer, and the compiled training step."""
    keras = framework()
    import tensorflow as tf

    network = _network(keras, features, standardise=False)
    optimizer = keras.optimizers.Adam(PARAMETERS["learning_rate"])
    optimizer.build(network.trainable_variables)

    def reset_weights(weights: Weights) -> None:
        for variable, value in zip(network.trainable_weights, weights, strict=True):
            variable.assign(value)
        for variable in optimizer.variables:
            if variable is not optimizer._learning_rate:
                variable.assign(np.zeros(variable.shape))

    @tf.function  # type: ignore[untyped-decorator]
    def step(x: Any, y: Any, weight: Any) -> Any:
        with tf.GradientTape() as tape:
            error = network(x, training=False)[:, 0] - y
            loss = tf.reduce_sum(weight * error**2) / tf.reduce_sum(weight)
            kernels = [one for one in network.trainable_variables if len(one.shape) == 2]
            penalised = loss + PARAMETERS["l2"] * tf.add_n([tf.reduce_sum(kernel**2) for kernel in kernels])
        gradients = tape.gradient(penalised, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return loss

    return network, reset_weights, step


def _network(keras: Any, features: int, *, standardise: bool) -> Any:
    layers = [keras.Input((features,))]
    if standardise:
        frozen = {"center": False, "scale": False, "epsilon": 1e-12, "trainable": False}
        layers.append(keras.layers.BatchNormalization(**frozen))
    layers += [keras.layers.Dense(PARAMETERS["units"], activation=PARAMETERS["activation"]), keras.layers.Dense(1)]
    return keras.Sequential(layers)


def _copy(network: Any, mean: Floats, scale: Floats, unit: float) -> Any:
    """A network of its own with the fitted weights behind the training rows' means and scales, in the label's unit."""
    copy = _network(framework(), len(mean), standardise=True)
    kernel, bias, last_kernel, last_bias = network.get_weights()
    copy.layers[0].set_weights([mean, scale**2])
    copy.layers[1].set_weights([kernel, bias])
    copy.layers[2].set_weights([last_kernel * unit, last_bias * unit])
    return copy


KERAS = Kind("keras", "1", PARAMETERS, ("numpy", "keras", "tensorflow"), "keras", fit, predict, numbers)
