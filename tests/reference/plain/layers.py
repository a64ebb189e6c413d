"""The layers of networks, for one example: dense, noisy, normalised, and the two streams of dueling.

Parameters are a dictionary from a path such as "params/Dense_0/kernel" to an array. Kernels are [inputs, outputs].
"""

import autograd.numpy as np

from tests.reference.plain import pictures


def stop_gradient(x):
    """Returns the numbers of `x`, or of each part of a dictionary or list, as constants for autograd."""
    if isinstance(x, dict):
        return {name: stop_gradient(part) for name, part in x.items()}
    while hasattr(x, "_value"):
        x = x._value
    return x


def relu(x):
    """Returns max(x, 0), with gradient 0 at 0."""
    return np.where(x > 0, x, 0.0)


def activate(name, x):
    """Returns the activation of that name."""
    return {"relu": relu, "tanh": np.tanh}[name](x)


def sigmoid(x):
    """Returns 1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (np.tanh(0.5 * x) + 1.0)


def log_softmax(x):
    """Returns the logarithm of the softmax over the last axis."""
    shifted = x - np.max(stop_gradient(x), axis=-1, keepdims=True)
    return shifted - np.log(np.sum(np.exp(shifted), axis=-1, keepdims=True))


def linear(parameters, path, x):
    """Returns `x kernel + bias`."""
    return np.dot(x, parameters[f"{path}/kernel"]) + parameters[f"{path}/bias"]


def noisy_linear(parameters, path, x, noise):
    """Returns a noisy layer's answer: Fortunato et al. (2018), equations 9 to 11.

    The weights are `mu + sigma * eps`, with `eps_w[i, j] = f(eps_i) f(eps_j)` and `eps_b[j] = f(eps_j)`.
    `noise` is (f(eps) of the inputs, f(eps) of the outputs), or None for none.
    """
    if noise is None:
        return linear(parameters, path, x)
    inputs, outputs = np.array(noise[0], float), np.array(noise[1], float)
    kernel = parameters[f"{path}/kernel"] + parameters[f"{path}/kernel_sigma"] * np.outer(inputs, outputs)
    bias = parameters[f"{path}/bias"] + parameters[f"{path}/bias_sigma"] * outputs
    return np.dot(x, kernel) + bias


def layer_norm(parameters, path, x, epsilon):
    """Returns layer normalisation over the last axis: Ba, Kiros and Hinton (2016), equation 4."""
    mean = np.mean(x, axis=-1, keepdims=True)
    variance = np.mean((x - mean) ** 2, axis=-1, keepdims=True)
    normal = (x - mean) / np.sqrt(variance + epsilon)
    return normal * parameters[f"{path}/scale"] + parameters[f"{path}/bias"]


class Layers:
    """The layers of one pass. Each kind of layer is counted as it is made, which gives it its name.

    Args:
      settings: of a QNetwork.
      num_actions: A.
      parameters: of the whole network.
      prefix: of the paths of its parameters, such as "params/".
      weights: the noise of its weights, from "NoisyDense_0/inputs" and so on to an array; None without noise.
    """

    def __init__(self, settings, num_actions, parameters, prefix, weights=None):
        self.settings = settings
        self.num_actions = num_actions
        self.parameters = parameters
        self.prefix = prefix
        self.weights = weights
        self.counts = {}

    def name(self, kind):
        """Returns the next name of this kind of layer."""
        number = self.counts.get(kind, 0)
        self.counts[kind] = number + 1
        return f"{kind}_{number}"

    def dense(self, x, features):
        """Returns `[..., features]`: a noisy layer where the network is noisy."""
        if self.settings["noisy"] is None:
            y = linear(self.parameters, self.prefix + self.name("Dense"), x)
        else:
            name = self.name("NoisyDense")
            noise = None
            if self.weights is not None:
                noise = self.weights[f"{name}/inputs"], self.weights[f"{name}/outputs"]
            y = noisy_linear(self.parameters, self.prefix + name, x, noise)
        assert y.shape[-1] == features, (y.shape, features)
        return y

    def convolution(self, x, features, size, stride, padding):
        """Returns `[rows, columns, features]` of a convolutional layer."""
        path = self.prefix + self.name("Convolution")
        kernel = self.parameters[f"{path}/kernel"]
        assert kernel.shape == (size, size, x.shape[-1], features), kernel.shape
        return pictures.convolve(x, kernel, stride, padding) + self.parameters[f"{path}/bias"]

    def activate(self, x):
        """Returns the output of a hidden layer, normalised and activated."""
        if self.settings["normalisation"] is not None:
            epsilon = self.settings["normalisation"]["epsilon"]
            x = layer_norm(self.parameters, self.prefix + self.name("LayerNorm"), x, epsilon)
        return activate(self.settings["activation"], x)

    def hidden(self, x, widths):
        """Returns the features after hidden layers: dense, normalised, activated."""
        for width in widths:
            x = self.activate(self.dense(x, width))
        return x

    def values(self, x, width):
        """Returns `[..., A, width]`. With two streams `v + a - mean a`: Wang et al. (2016), equation 9."""
        shape = (*x.shape[:-1], self.num_actions, width)
        dueling = self.settings["dueling"]
        if dueling is None:
            return np.reshape(self.dense(x, self.num_actions * width), shape)
        value = self.dense(self.hidden(x, dueling["hidden"]), width)
        value = np.reshape(value, (*x.shape[:-1], 1, width))
        advantages = np.reshape(self.dense(self.hidden(x, dueling["hidden"]), self.num_actions * width), shape)
        return value + advantages - np.mean(advantages, axis=-2, keepdims=True)
