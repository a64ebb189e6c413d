"""Networks for one observation: table, torso + memory + head, ensemble.

`settings` is the part "network" of a configuration as a dictionary. `noise` is what one pass draws: None, or
{"weights": {"NoisyDense_0/inputs": ..} or None, "fractions": uniform numbers or None}; for an ensemble a list of these.
"""

import autograd.numpy as np

from tests.reference.plain import pictures
from tests.reference.plain.heads import outcome
from tests.reference.plain.initial import check_initial
from tests.reference.plain.layers import Layers, sigmoid, stop_gradient

__all__ = ["apply", "check_initial", "initial_memory", "step"]


def flat(observation):
    """Returns the numbers of an observation in a row, float64."""
    return np.array(observation, float).reshape(-1)


def part(noise, name):
    """Returns a part of the noise of one pass; None where there is none."""
    return None if noise is None else noise.get(name)


def table(settings, num_actions, parameters, observation):
    """Returns the row of the cell that an observation lies in; outside of the grid it is the nearest cell's.

    Cells are numbered with the last dimension running fastest.
    """
    cell = 0
    for x, bins, low, high in zip(flat(observation), settings["bins"], settings["low"], settings["high"], strict=True):
        place = int(np.floor((x - low) / (high - low) * bins))
        cell = cell * bins + min(max(place, 0), bins - 1)
    return {"q_values": parameters["params/values"][cell]}


def feed_forward(settings, num_actions, parameters, observation, noise):
    """Returns the answer of fully connected layers and a head."""
    layers = Layers(settings, num_actions, parameters, "params/", part(noise, "weights"))
    return outcome(layers, torso(layers, observation), part(noise, "fractions"))


def torso(layers, observation):
    """Returns the features of an observation, after convolutional and fully connected layers."""
    settings = layers.settings["torso"]
    if settings["type"] == "Dense":
        return layers.hidden(flat(observation), settings["hidden"])
    x = np.array(observation, float) / 255.0  # all pictures here are bytes
    x = {"Conv": convolutions, "Impala": residual}[settings["type"]](layers, settings, x)
    return layers.hidden(np.reshape(x, -1), settings["hidden"])


def convolutions(layers, settings, x):
    """Returns a picture after convolutional layers: Mnih et al. (2015)."""
    sizes, strides = settings["kernel_sizes"], settings["strides"]
    for channels, size, stride in zip(settings["channels"], sizes, strides, strict=True):
        x = layers.activate(layers.convolution(x, channels, size, stride, settings["padding"]))
    return x


def residual(layers, settings, x):
    """Returns a picture after the blocks of Espeholt et al. (2018), figure 3, right."""
    for channels in settings["channels"]:
        features = channels * settings["width"]
        x = pictures.max_pool(layers.convolution(x, features, 3, 1, "SAME"), 3, 2, "SAME")
        for _ in range(2):
            inner = layers.convolution(layers.activate(x), features, 3, 1, "SAME")
            x = x + layers.convolution(layers.activate(inner), features, 3, 1, "SAME")
    return layers.activate(x)


def member_parameters(parameters, group, k):
    """Returns the parameters of member k of "members" or "priors"."""
    return {path[len(group) + 1 :]: array[k] for path, array in parameters.items() if path.startswith(group + "/")}


def ensemble(settings, num_actions, parameters, observation, noise):
    """Returns the values of all members and their mean.

    With priors a member's values are `f(x) + scale p(x)`, p fixed: Osband et al. (2018), section 3.
    """
    members = []
    for k in range(settings["num_members"]):
        own = member_parameters(parameters, "members", k)
        noise_k = None if noise is None else noise[k]
        q_values = apply(settings["member"], num_actions, own, observation, noise_k)["q_values"]
        if settings["prior_scale"] is not None:
            fixed = stop_gradient(member_parameters(parameters, "priors", k))
            prior = apply(settings["member"], num_actions, fixed, observation, None)["q_values"]
            q_values = q_values + settings["prior_scale"] * prior
        members.append(q_values)
    members = np.stack(members)
    return {"q_values": np.mean(members, axis=0), "members": members}


def lstm(parameters, prefix, x, memory):
    """Returns the memory after `x`, (c, h) in a row: Hochreiter and Schmidhuber (1997) with forget gates.

    `i, f, o` are sigmoids and g a tanh of `W x + U h + b`; `c' = f c + i g`; `h' = o tanh(c')`.
    """
    units = memory.shape[0] // 2
    c, h = memory[:units], memory[units:]

    def gate(name):
        inputs = np.dot(x, parameters[f"{prefix}i{name}/kernel"])
        return inputs + np.dot(h, parameters[f"{prefix}h{name}/kernel"]) + parameters[f"{prefix}h{name}/bias"]

    c = sigmoid(gate("f")) * c + sigmoid(gate("i")) * np.tanh(gate("g"))
    return np.concatenate([c, sigmoid(gate("o")) * np.tanh(c)])


def initial_memory(settings):
    """Returns the memory at the start of an episode, zeros `[2 units]`; None for a network without memory."""
    memory = settings.get("memory")
    return None if memory is None else np.zeros(2 * memory["units"])


def step(settings, num_actions, parameters, observation, memory):
    """Returns the answer to an observation and the memory after it."""
    x = torso(Layers(settings, num_actions, parameters, "params/first/"), observation)
    memory = lstm(parameters, "params/cell/", x, memory)
    last = Layers(settings, num_actions, parameters, "params/last/")
    return outcome(last, memory[settings["memory"]["units"] :], None), memory


def apply(settings, num_actions, parameters, observation, noise=None):
    """Returns the answer to one observation; a network that remembers takes it for the first of an episode."""
    kind = settings["type"]
    if kind == "Table":
        return table(settings, num_actions, parameters, observation)
    if kind == "Ensemble":
        return ensemble(settings, num_actions, parameters, observation, noise)
    if kind == "QNetwork" and settings["memory"] is None:
        return feed_forward(settings, num_actions, parameters, observation, noise)
    if kind == "QNetwork":
        return step(settings, num_actions, parameters, observation, initial_memory(settings))[0]
    raise ValueError(f"network {kind!r} is not known")
