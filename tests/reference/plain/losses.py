"""The loss of every algorithm, one example at a time, and its gradient by autograd.

`settings` is a whole configuration as a dictionary. A loss of one example takes (settings, num_actions, parameters,
target parameters, example, noises) and returns "loss" (which autograd may differentiate), "priority", "td_error" and
"max_q". `noises` has one entry for each pass through a network, in the order in which the loss makes them.
"""

import autograd
import autograd.numpy as np

from tests.reference.plain import distributional, networks, sequence_losses, soft
from tests.reference.plain.errors import error
from tests.reference.plain.layers import stop_gradient


def result(loss, priority, td_error, max_q):
    """Returns the four numbers of an example, all but the loss as constants."""
    constants = {"priority": priority, "td_error": td_error, "max_q": max_q}
    return {"loss": loss, **{name: float(stop_gradient(x)) for name, x in constants.items()}}


def answer(settings, num_actions, parameters, observation, noises, number):
    """Returns what the network says of an observation in the pass of this number."""
    noise = noises[number] if noises else None
    return networks.apply(settings["network"], num_actions, parameters, observation, noise)


def passes(settings, num_actions, parameters, target, example, noises):
    """Returns the answers before the action and after it, the second of the target network and without gradient."""
    before = answer(settings, num_actions, parameters, example["s_tm1"], noises, 0)
    after = answer(settings, num_actions, target, example["s_t"], noises, 1)
    return before, stop_gradient(after)


def selector(settings, num_actions, parameters, example, noises):
    """Returns what the learning network says of the observation after the action, in the third pass."""
    return stop_gradient(answer(settings, num_actions, parameters, example["s_t"], noises, 2))


def from_td_error(settings, before, example, target):
    """Returns the loss of one error, `target - q_tm1[a_tm1]`; the priority is its size."""
    td_error = target - before["q_values"][example["a_tm1"]]
    loss = error(settings["algorithm"]["error"], td_error)
    return result(loss, np.abs(td_error), td_error, np.max(before["q_values"]))


def dqn(settings, num_actions, parameters, target, example, noises):
    """Mnih et al. (2015), algorithm 1: `r + discount max_a q_t[a]`."""
    before, after = passes(settings, num_actions, parameters, target, example, noises)
    goal = example["r_t"] + example["discount_t"] * np.max(after["q_values"])
    return from_td_error(settings, before, example, goal)


def pqn(settings, num_actions, parameters, target, example, noises):
    """Gallici et al. (2025), algorithm 1: the target is the lambda-return, computed before the training."""
    before = answer(settings, num_actions, parameters, example["s_tm1"], noises, 0)
    return from_td_error(settings, before, example, example["return_t"])


def tabular(settings, num_actions, parameters, target, example, noises):
    """Watkins and Dayan (1992), equation 1, as a step down the slope of half of the squared error."""
    with_squares = {**settings, "algorithm": {"error": {"type": "SquaredError", "blend": 1.0}}}
    out = dqn(with_squares, num_actions, parameters, target, example, noises)
    return {**out, "loss": 0.5 * out["loss"]}


def double_dqn(settings, num_actions, parameters, target, example, noises):
    """Van Hasselt et al. (2016), equation 4: the learning network chooses, the target network judges."""
    before, after = passes(settings, num_actions, parameters, target, example, noises)
    best = np.argmax(selector(settings, num_actions, parameters, example, noises)["q_values"])
    goal = example["r_t"] + example["discount_t"] * after["q_values"][best]
    return from_td_error(settings, before, example, goal)


def averaged_dqn(settings, num_actions, parameters, target, example, noises):
    """Anschel et al. (2017), algorithm 2: `r + discount max_a mean_k q_t[k, a]`, over the last K copies."""
    before = answer(settings, num_actions, parameters, example["s_tm1"], noises, 0)
    num_copies = len(next(iter(target.values())))
    total = np.zeros(num_actions)
    for k in range(num_copies):
        copy = {path: array[k] for path, array in target.items()}
        total = (
            total + answer(settings, num_actions, copy, example["s_t"], noises[1] if noises else None, k)["q_values"]
        )
    goal = example["r_t"] + example["discount_t"] * np.max(total / num_copies)
    return from_td_error(settings, before, example, goal)


def clipped_double_dqn(settings, num_actions, parameters, target, example, noises):
    """Fujimoto et al. (2018), equation 10: the least of the target networks judges what the mean chooses.

    The loss is the sum over the members, as there.
    """
    before, after = passes(settings, num_actions, parameters, target, example, noises)
    best = np.argmax(selector(settings, num_actions, parameters, example, noises)["q_values"])
    goal = example["r_t"] + example["discount_t"] * np.min(after["members"][:, best])
    return from_members(settings, before, example, [goal] * len(before["members"]), [True] * len(before["members"]))


def from_members(settings, before, example, goals, learns):
    """Returns the sum of the losses of the members that learn.

    The papers draw uniformly and name no priority: it is the size of the error, and the error is the mean over all
    members, learning from this transition or not.
    """
    loss, total = 0.0, 0.0
    for values, goal, does in zip(before["members"], goals, learns, strict=True):
        td_error = goal - values[example["a_tm1"]]
        total += float(stop_gradient(td_error))
        if does:
            loss = loss + error(settings["algorithm"]["error"], td_error)
    mean = total / len(goals)
    return result(loss, abs(mean), mean, np.max(before["q_values"]))


def mixed(bits):
    """Returns 32 bits stirred, by the rule of the schema (all arithmetic modulo 2^32)."""
    bits = (bits + 0x9E3779B9) % 2**32
    bits = ((bits ^ (bits >> 16)) * 0x85EBCA6B) % 2**32
    bits = ((bits ^ (bits >> 13)) * 0xC2B2AE35) % 2**32
    return bits ^ (bits >> 16)


def mask(index, num_members, share):
    """Returns whether each member learns from what lies at a place of replay."""
    uniforms = [(mixed(mixed((int(index) * num_members + k) % 2**32)) >> 8) * 2.0**-24 for k in range(num_members)]
    return [uniform < share for uniform in uniforms]


def bootstrapped_dqn(settings, num_actions, parameters, target, example, noises):
    """Osband et al. (2016), algorithm 1: double DQN of each member for itself, on transitions of its own."""
    before, after = passes(settings, num_actions, parameters, target, example, noises)
    chooser = selector(settings, num_actions, parameters, example, noises)
    goals = []
    for choosing, judging in zip(chooser["members"], after["members"], strict=True):
        goals.append(example["r_t"] + example["discount_t"] * judging[np.argmax(choosing)])
    learns = mask(example["indices"], len(goals), settings["algorithm"]["share"])
    return from_members(settings, before, example, goals, learns)


def best_action(settings, num_actions, parameters, example, noises, after):
    """Returns the action that the target network chooses, or the online one, as the algorithm says."""
    if settings["algorithm"]["selector"] == "online":
        after = selector(settings, num_actions, parameters, example, noises)
    return np.argmax(after["q_values"])


def c51(settings, num_actions, parameters, target, example, noises):
    """Bellemare et al. (2017), algorithm 1; the priority is the divergence (Hessel et al. 2018)."""
    before, after = passes(settings, num_actions, parameters, target, example, noises)
    best = best_action(settings, num_actions, parameters, example, noises, after)
    logits = after["logits"][best]
    probabilities = np.exp(logits - np.max(logits)) / np.sum(np.exp(logits - np.max(logits)))
    atoms = before["atoms"]
    goal = distributional.project(example["r_t"] + example["discount_t"] * atoms, probabilities, atoms)
    return from_categories(before, example, goal, np.sum(goal * atoms))


def from_categories(before, example, probabilities, value):
    """Returns the cross-entropy to a distribution; its divergence is the priority, the error that of the means."""
    logits = before["logits"][example["a_tm1"]]
    td_error = value - before["q_values"][example["a_tm1"]]
    loss = distributional.cross_entropy(probabilities, logits)
    priority = distributional.kl_divergence(probabilities, logits)
    return result(loss, priority, td_error, np.max(before["q_values"]))


def hl_gauss(settings, num_actions, parameters, target, example, noises):
    """Farebrother et al. (2024), section 3.1: a normal distribution around DQN's target, and DQN's error."""
    before, after = passes(settings, num_actions, parameters, target, example, noises)
    value = example["r_t"] + example["discount_t"] * np.max(after["q_values"])
    probabilities = distributional.hl_gauss(value, before["atoms"], settings["algorithm"]["smoothing"])
    out = from_categories(before, example, probabilities, value)
    return {**out, "priority": abs(out["td_error"])}


def from_quantiles(settings, before, example, targets):
    """Returns the quantile Huber loss; the error is that of the equally weighted means, its size the priority."""
    quantiles = before["quantiles"][example["a_tm1"]]
    kappa = settings["algorithm"]["kappa"]
    loss = distributional.quantile_huber(quantiles, before["fractions"], targets, kappa)
    td_error = np.mean(targets) - np.mean(quantiles)
    return result(loss, np.abs(td_error), td_error, np.max(before["q_values"]))


def quantile_regression(settings, num_actions, parameters, target, example, noises):
    """Dabney et al. (2018a), algorithm 1, and (2018b), equations 2 and 3."""
    before, after = passes(settings, num_actions, parameters, target, example, noises)
    best = best_action(settings, num_actions, parameters, example, noises, after)
    targets = example["r_t"] + example["discount_t"] * after["quantiles"][best]
    return from_quantiles(settings, before, example, targets)


def fqf(settings, num_actions, parameters, target, example, noises):
    """Yang et al. (2019), section 3 and algorithm 1: quantile Huber loss, fraction loss, less the entropy.

    The error is that of the means, in which quantiles count by the lengths of their intervals.
    """
    before, after = passes(settings, num_actions, parameters, target, example, noises)
    action, best = example["a_tm1"], np.argmax(after["q_values"])
    targets = example["r_t"] + example["discount_t"] * after["quantiles"][best]
    regression = from_quantiles(settings, before, example, targets)["loss"]
    quantiles = stop_gradient(before["quantiles"])[action]
    proposal = distributional.fraction_loss(before["boundaries"], before["boundary_quantiles"][action], quantiles)
    loss = regression + proposal - settings["algorithm"]["entropy"] * before["entropy"]
    td_error = example["r_t"] + example["discount_t"] * after["q_values"][best] - before["q_values"][action]
    return result(loss, np.abs(td_error), td_error, np.max(before["q_values"]))


def munchausen_dqn(settings, num_actions, parameters, target, example, noises):
    """Vieillard et al. (2020), equation 2. The third pass is the target network's, of the observation before."""
    algorithm = settings["algorithm"]
    before, after = passes(settings, num_actions, parameters, target, example, noises)
    judge = stop_gradient(answer(settings, num_actions, target, example["s_tm1"], noises, 2))
    bonus = soft.bonus(judge["q_values"], example["a_tm1"], algorithm)
    value = soft.value(after["q_values"], after["q_values"], algorithm["temperature"])
    goal = example["r_t"] + bonus + example["discount_t"] * value
    return from_td_error(settings, before, example, goal)


def munchausen_iqn(settings, num_actions, parameters, target, example, noises):
    """Vieillard et al. (2020), M-IQN: each quantile of the target is soft, with the policy of the means."""
    algorithm = settings["algorithm"]
    before, after = passes(settings, num_actions, parameters, target, example, noises)
    judge = stop_gradient(answer(settings, num_actions, target, example["s_tm1"], noises, 2))
    bonus = soft.bonus(judge["q_values"], example["a_tm1"], algorithm)
    targets = []
    for j in range(after["quantiles"].shape[1]):
        value = soft.value(after["quantiles"][:, j], after["q_values"], algorithm["temperature"])
        targets.append(example["r_t"] + bonus + example["discount_t"] * value)
    return from_quantiles(settings, before, example, np.array(targets))


LOSSES = {
    "TabularQLearning": tabular,
    "DQN": dqn,
    "DoubleDQN": double_dqn,
    "AveragedDQN": averaged_dqn,
    "ClippedDoubleDQN": clipped_double_dqn,
    "BootstrappedDQN": bootstrapped_dqn,
    "C51": c51,
    "HLGauss": hl_gauss,
    "QuantileRegression": quantile_regression,
    "FQF": fqf,
    "MunchausenDQN": munchausen_dqn,
    "MunchausenIQN": munchausen_iqn,
    "PQN": pqn,
    "R2D2": sequence_losses.r2d2,
}


def noise_of(noise, b):
    """Returns the noise of one pass for example b: weights are shared, fractions are each example's own."""
    if noise is None:
        return None
    if isinstance(noise, list | tuple):
        return [noise_of(each, b) for each in noise]
    fractions = noise.get("fractions")
    return {"weights": noise.get("weights"), "fractions": None if fractions is None else fractions[b]}


def loss(settings, num_actions, parameters, target_parameters, batch, noises):
    """Returns the loss of each example of a batch, and its priority, error and largest value: lists `[B]`."""
    rule = LOSSES[settings["algorithm"]["type"]]
    out = {"loss": [], "priority": [], "td_error": [], "max_q": []}
    for b in range(len(batch["a_tm1"])):
        example = {name: None if array is None else array[b] for name, array in batch.items()}
        own = noise_of(noises, b)
        for name, x in rule(settings, num_actions, parameters, target_parameters, example, own).items():
            out[name].append(x)
    return out


def gradient(settings, num_actions, parameters, target_parameters, batch, noises, weight):
    """Returns the weighted mean of the losses, what each example gave, and the gradient of that mean."""
    examples = {}

    def mean_loss(parameters):
        out = loss(settings, num_actions, parameters, target_parameters, batch, noises)
        examples.update({name: np.array([float(stop_gradient(x)) for x in xs]) for name, xs in out.items()})
        total = 0.0 * sum(np.sum(array) for array in parameters.values())  # so that it depends on all of them
        for w, x in zip(weight, out["loss"], strict=True):
            total = total + float(w) * x
        return total / len(weight)

    exact = {path: np.array(array, float) for path, array in parameters.items()}
    mean, slopes = autograd.value_and_grad(mean_loss)(exact)
    return float(mean), examples, slopes
