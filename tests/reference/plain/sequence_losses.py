"""The loss of sequences: R2D2's, of a network that remembers."""

import math

import autograd.numpy as np

from tests.reference.plain import networks
from tests.reference.plain.errors import error
from tests.reference.plain.layers import stop_gradient


def rescaled(x, eps):
    """Returns `h(x) = sign(x) (sqrt(|x| + 1) - 1) + eps x`: Pohlen et al. (2018)."""
    return math.copysign(math.sqrt(abs(x) + 1.0) - 1.0, x) + eps * x


def unscaled(y, eps):
    """Returns the inverse of `rescaled`: Pohlen et al. (2018), proposition A.2; with `eps = 0` its limit."""
    if eps == 0:
        size = (abs(y) + 1.0) ** 2 - 1.0
    else:
        root = math.sqrt(1.0 + 4.0 * eps * (abs(y) + 1.0 + eps))
        size = ((root - 1.0) / (2.0 * eps)) ** 2 - 1.0
    return math.copysign(size, y)


def unrolled(network, num_actions, parameters, example, burn_in):
    """Returns the values of each observation before an action, and of each after it.

    The memory begins with the stored one, and anew with the first observation of an episode. No gradient reaches the
    first `burn_in` steps. The observation after the steps of a return follows upon the memory that the last of them
    left behind.
    """
    constants = stop_gradient(parameters)
    memory = np.array(example["memory"], float)
    before, memories = [], []
    for t in range(len(example["a_tm1"])):
        if example["is_first"][t]:
            memory = networks.initial_memory(network)
        used = constants if t < burn_in else parameters
        output, memory = networks.step(network, num_actions, used, example["s_tm1"][t], memory)
        before.append(output["q_values"])
        memories.append(stop_gradient(memory))
    after = []
    for t in range(len(before)):
        memory = memories[int(example["last"][t])]
        output, _ = networks.step(network, num_actions, constants, example["s_t"][t], memory)
        after.append(output["q_values"])
    return before, after


def r2d2(settings, num_actions, parameters, target, example, noises):
    """Kapturowski et al. (2019), sections 2.3 and 3: double Q-learning of rescaled values after a burn-in.

    The priority is `eta max |delta| + (1 - eta) mean |delta|`.
    """
    algorithm, network = settings["algorithm"], settings["network"]
    eps, eta, burn_in = algorithm["eps"], algorithm["eta"], algorithm["burn_in"]
    before, chooser = unrolled(network, num_actions, parameters, example, burn_in)
    _, judge = unrolled(network, num_actions, stop_gradient(target), example, burn_in)
    loss, sizes, largest = 0.0, [], []
    for t in range(burn_in, len(before)):
        value = unscaled(float(judge[t][np.argmax(chooser[t])]), eps)
        goal = rescaled(example["r_t"][t] + example["discount_t"][t] * value, eps)
        td_error = goal - before[t][example["a_tm1"][t]]
        loss = loss + error(algorithm["error"], td_error) / (len(before) - burn_in)
        sizes.append(abs(float(stop_gradient(td_error))))
        largest.append(float(np.max(stop_gradient(before[t]))))
    mean = sum(sizes) / len(sizes)
    priority = eta * max(sizes) + (1.0 - eta) * mean
    return {"loss": loss, "priority": priority, "td_error": mean, "max_q": sum(largest) / len(largest)}
