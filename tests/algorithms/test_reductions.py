"""Each algorithm becomes another one where what it adds is taken away: on the same parameters, batch and key."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import losses, target_network, targets
from jaxdqn.algorithms import (
    ALGORITHMS,
    averaged_dqn,
    bootstrapped_dqn,
    c51,
    clipped_double_dqn,
    double_dqn,
    dqn,
    hl_gauss,
    munchausen,
    pqn,
    quantile,
    r2d2,
    rainbow,
)
from jaxdqn.config import Config
from jaxdqn.config_fields import configuration, static
from jaxdqn.interfaces import Sample, Sequence, Step, Transition
from jaxdqn.networks.dueling import Dueling
from jaxdqn.networks.ensemble import Ensemble
from jaxdqn.networks.heads import Categorical, ImplicitQuantiles, Quantiles
from jaxdqn.networks.memory import LSTM
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.noisy import Noisy
from jaxdqn.networks.torsos import NATURE, Conv, Dense, Impala
from jaxdqn.replay.prioritised import Prioritised
from jaxdqn.replay.rollout import Rollout
from jaxdqn.rewards_and_terminations import ConfiguredReturn

PLAIN = QNetwork(Dense((4,)))
LINEAR = {"rtol": 1e-5, "atol": 1e-6}  # rounding
RANDOM = np.random.default_rng(0)


def transitions():
    s_tm1, s_t = RANDOM.normal(size=(2, 8, 3)).astype(np.float32)
    actions = np.int32([0, 1, 2, 0, 1, 2, 0, 1])
    rewards = RANDOM.normal(size=8).astype(np.float32)
    transition = Transition(s_tm1, actions, rewards, np.float32([0.9, 0.9, 0.9, 0.9, 0, 0.9, 0.9, 0]), s_t)
    return Sample(jax.tree.map(jnp.asarray, transition), jnp.arange(8), jnp.ones(8))


def sequences(memory=None):
    """Two sequences of six steps: in the first a game terminates, in the second one meets its time limit."""
    s_tm1, s_t = RANDOM.normal(size=(2, 2, 6, 3)).astype(np.float32)
    ended = np.zeros((2, 6), bool)
    ended[:, 3] = True
    s_t[:, [0, 1, 2, 4]] = s_tm1[:, [1, 2, 3, 5]]  # within an episode the next observation comes next
    discount = np.full((2, 6), 0.9, np.float32)
    discount[0, 3] = 0.0
    sequence = Sequence(
        s_tm1=s_tm1,
        a_tm1=RANDOM.integers(0, 3, (2, 6)),
        r_t=RANDOM.normal(size=(2, 6)).astype(np.float32),
        discount_t=discount,
        last=np.tile(np.arange(6), (2, 1)),
        s_t=s_t,
        ended=ended,
        is_first=np.pad(ended[:, :-1], ((0, 0), (1, 0))),
        memory=memory,
    )
    return Sample(jax.tree.map(jnp.asarray, sequence), jnp.arange(2), jnp.ones(2))


SAMPLE, SEQUENCES = transitions(), sequences()
QUIET = jax.random.key(0)  # of networks that draw nothing


def of_network(config, seed=0):
    """Returns a network for 3 actions and two sets of its parameters: online and target."""
    network = config.make((3,), 3)
    return network, *(jax.jit(network.init)(jax.random.key(seed + i)) for i in (0, 1))


def learned(algorithm, network, parameters, target_parameters, *, sample=SAMPLE, key=QUIET):
    """Returns the output of the loss, and the gradient of its mean; a key of None is no noise."""
    key = (None,) * algorithm.requires.passes if key is None else key

    def mean(parameters):
        output = algorithm.loss(network, parameters, target_parameters, sample, key)
        return output.loss.mean(), output

    return jax.jit(jax.grad(mean, has_aux=True))(parameters)[::-1]


def same(one, other, **tolerance):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **(tolerance or LINEAR)), one, other)


def alone(tree):
    """Returns the first of stacked parameters."""
    return jax.tree.map(lambda x: x[0], tree)


def stacked(tree):
    return jax.tree.map(lambda x: x[None], tree)


def test_double_dqn_is_dqn_where_both_networks_are_one():
    network, parameters, _ = of_network(PLAIN)
    same(*(learned(one, network, parameters, parameters) for one in (double_dqn.DoubleDQN(), dqn.DQN())))
    other = learned(double_dqn.DoubleDQN(), *of_network(PLAIN))[0].loss
    assert not np.array_equal(other, learned(dqn.DQN(), *of_network(PLAIN))[0].loss)


@pytest.mark.parametrize(
    ("algorithm", "head"),
    [
        (c51.C51, Categorical(num_atoms=11, v_min=-3.0, v_max=3.0)),
        (quantile.QuantileRegression, Quantiles(num_quantiles=5)),
    ],
    ids=["c51", "qr_dqn"],
)
def test_whose_values_choose_makes_no_difference_where_both_networks_are_one(algorithm, head):
    network, parameters, target_parameters = of_network(QNetwork(Dense((4,)), head=head))
    both = [algorithm(selector=selector) for selector in ("online", "target")]
    same(*(learned(one, network, parameters, parameters) for one in both))
    online, target = (learned(one, network, parameters, target_parameters)[0].loss for one in both)
    assert not np.array_equal(online, target)


def test_averaged_dqn_of_one_copy_is_dqn():
    network, parameters, target_parameters = of_network(PLAIN)
    averaged = learned(averaged_dqn.AveragedDQN(), network, parameters, stacked(target_parameters))
    same(averaged, learned(dqn.DQN(), network, parameters, target_parameters))
    copies = jax.tree.map(lambda *x: jnp.stack(x), target_parameters, parameters)
    two = learned(averaged_dqn.AveragedDQN(), network, parameters, copies)[0].loss
    assert not np.allclose(two, averaged[0].loss, rtol=1e-3)


def test_each_copy_of_averaged_dqn_has_noise_of_its_own():
    network, parameters, target_parameters = of_network(QNetwork(Dense((4,)), noisy=Noisy()))
    copies = jax.tree.map(lambda x: jnp.stack([x, x]), target_parameters)
    key_tm1, key_t = jax.random.split(jax.random.key(3))
    before, *after = (
        network.apply(tree, observations, key).q_values
        for tree, observations, key in (
            (parameters, SAMPLE.transition.s_tm1, key_tm1),
            *((target_parameters, SAMPLE.transition.s_t, key) for key in jax.random.split(key_t, 2)),
        )
    )
    assert not np.any(np.isclose(*after, rtol=1e-4))
    target = SAMPLE.transition.r_t + SAMPLE.transition.discount_t * np.mean(after, axis=0).max(1)
    error = target - np.take_along_axis(np.asarray(before), np.asarray(SAMPLE.transition.a_tm1)[:, None], axis=1)[:, 0]
    output, _ = learned(averaged_dqn.AveragedDQN(), network, parameters, copies, key=jax.random.key(3))
    same(output.metrics["td_error"], np.abs(error))


def test_one_copy_follows_as_a_periodic_target_does():
    one, periodic = target_network.LastCopies(every=20, num_copies=1), target_network.Periodic(20)
    for before, after in ((0, 10), (10, 20), (35, 45)):
        new, old, counts = {"w": jnp.arange(3.0)}, {"w": jnp.full(3, 7.0)}, (jnp.int32(before), jnp.int32(after))
        np.testing.assert_array_equal(one(new, stacked(old), *counts)["w"][0], periodic(new, old, *counts)["w"])


@pytest.mark.parametrize(
    "algorithm",
    [clipped_double_dqn.ClippedDoubleDQN(), bootstrapped_dqn.BootstrappedDQN(share=1.0)],
    ids=["clipped_double_dqn", "bootstrapped_dqn"],
)
def test_an_ensemble_of_one_is_double_dqn(algorithm):
    network, parameters, target_parameters = of_network(Ensemble(PLAIN, num_members=1))
    output, gradient = learned(algorithm, network, parameters, target_parameters)
    members = (alone(tree["members"]) for tree in (parameters, target_parameters))
    same((output, alone(gradient["members"])), learned(double_dqn.DoubleDQN(), PLAIN.make((3,), 3), *members))


def test_a_clipped_ensemble_of_equal_members_is_double_dqn_once_a_member():
    network, *trees = of_network(Ensemble(PLAIN, num_members=2))
    members = [alone(tree["members"]) for tree in trees]
    twice = [{"members": jax.tree.map(lambda x: jnp.stack([x, x]), one)} for one in members]
    output, gradient = learned(clipped_double_dqn.ClippedDoubleDQN(), network, *twice)
    expected, of_one = learned(double_dqn.DoubleDQN(), PLAIN.make((3,), 3), *members)
    same(output.metrics["td_error"], expected.metrics["td_error"])
    same(output.loss, 2 * expected.loss)
    same(alone(gradient["members"]), of_one)


def test_members_learn_from_what_falls_to_them_and_nothing_else():
    network, parameters, target_parameters = of_network(Ensemble(PLAIN, num_members=2))
    mask = np.asarray(bootstrapped_dqn.mask(SAMPLE.indices, 2, 0.5))
    assert 0 < mask.sum() < mask.size
    _, gradient = learned(bootstrapped_dqn.BootstrappedDQN(share=0.5), network, parameters, target_parameters)
    for k in range(2):
        member = PLAIN.make((3,), 3)
        members = [jax.tree.map(lambda x, k=k: x[k], tree["members"]) for tree in (parameters, target_parameters)]

        def mean(parameters, member=member, target=members[1], k=k):
            return (
                double_dqn.DoubleDQN().loss(member, parameters, target, SAMPLE, (None,) * 3).loss * mask[:, k]
            ).mean()

        same(jax.tree.map(lambda x, k=k: x[k], gradient["members"]), jax.jit(jax.grad(mean))(members[0]))


def test_the_share_of_a_member_is_what_it_says_and_members_differ():
    mask = np.asarray(bootstrapped_dqn.mask(jnp.arange(20_000), 10, 0.3))
    np.testing.assert_allclose(mask.mean(0), 0.3, atol=0.015)
    together = np.corrcoef(mask.T) - np.eye(10)
    assert np.abs(together).max() < 0.04
    np.testing.assert_array_equal(mask[[5, 5, 7]], bootstrapped_dqn.mask(jnp.int32([5, 5, 7]), 10, 0.3))


def test_a_share_of_one_leaves_no_member_out():
    # The number of this place and member hashes to 2^32 - 23, which single precision rounds to 2^32.
    assert bootstrapped_dqn.mask(jnp.int32([1_092_706]), 10, 1.0).all()


@pytest.mark.parametrize("kappa", [1.0, 0.5])
def test_one_quantile_is_dqn_with_half_of_hubers_loss(kappa):
    config = QNetwork(Dense((4,)), head=Quantiles(num_quantiles=1))
    network, parameters, target_parameters = of_network(config)
    output, gradient = learned(quantile.QuantileRegression(kappa=kappa), network, parameters, target_parameters)
    huber = dqn.DQN(error=losses.Huber(kappa))
    expected, of_huber = learned(huber, PLAIN.make((3,), 3), parameters, target_parameters)
    same(2 * kappa * output.loss, expected.loss)
    same(jax.tree.map(lambda x: 2 * kappa * x, gradient), of_huber)
    same(output.metrics["td_error"], expected.metrics["td_error"])


def test_munchausen_without_bonus_tends_to_dqn_as_the_temperature_falls():
    network, parameters, target_parameters = of_network(PLAIN)
    cold = munchausen.MunchausenDQN(temperature=1e-4, scale=0.0)
    both = [learned(one, network, parameters, target_parameters) for one in (cold, dqn.DQN())]
    same(*both, rtol=1e-3, atol=1e-3)
    warm = learned(munchausen.MunchausenDQN(), network, parameters, target_parameters)[0].loss
    assert not np.allclose(warm, both[1][0].loss, rtol=0.01)


def test_munchausen_iqn_without_bonus_tends_to_iqn_as_the_temperature_falls():
    head = ImplicitQuantiles(num_quantiles=4, num_policy_quantiles=4, num_cosines=4, hidden=())
    network, parameters, target_parameters = of_network(QNetwork(Dense((4,)), head=head))
    cold, key = munchausen.MunchausenIQN(temperature=1e-4, scale=0.0), jax.random.key(2)
    both = [
        learned(one, network, parameters, target_parameters, key=key) for one in (cold, quantile.QuantileRegression())
    ]
    same(*both, rtol=1e-3, atol=1e-3)


def test_a_narrow_hl_gauss_of_a_return_that_is_an_atom_is_c51():
    network, parameters, target_parameters = of_network(QNetwork(Dense((4,)), head=Categorical(7, -3.0, 3.0)))
    transition = SAMPLE.transition._replace(r_t=jnp.round(SAMPLE.transition.r_t), discount_t=jnp.zeros(8))
    sample = SAMPLE._replace(transition=transition)
    both = [
        learned(one, network, parameters, target_parameters, sample=sample)
        for one in (hl_gauss.HLGauss(smoothing=0.01), c51.C51())
    ]
    same(both[0][1], both[1][1])
    same(both[0][0].loss, both[1][0].loss)
    same(both[0][0].metrics["td_error"], both[1][0].metrics["td_error"])


def test_the_target_of_hl_gauss_is_that_of_dqn_on_the_means():
    network, parameters, target_parameters = of_network(QNetwork(Dense((4,)), head=Categorical(7, -3.0, 3.0)))
    output, expected = (
        learned(one, network, parameters, target_parameters)[0] for one in (hl_gauss.HLGauss(), dqn.DQN())
    )
    same(output[1:], expected[1:])


def test_dueling_with_equal_advantages_is_a_value_and_no_more():
    network, parameters, target_parameters = of_network(QNetwork(Dense((4,)), dueling=Dueling((5,))))
    plain = QNetwork(Dense((4, 5))).make((3,), 1)
    layers = "Dense_0", "Dense_1", "Dense_2"  # shared, the value's, the value

    def without_advantages(tree):
        last = jax.tree.map(jnp.zeros_like, tree["params"]["Dense_4"])
        return {"params": {**tree["params"], "Dense_4": {**last, "bias": last["bias"] + 7.0}}}

    def of_value(tree):
        return {"params": {name: tree["params"][name] for name in layers}}

    trees = [without_advantages(tree) for tree in (parameters, target_parameters)]
    output, gradient = learned(dqn.DQN(), network, *trees)
    only_action = SAMPLE._replace(transition=SAMPLE.transition._replace(a_tm1=jnp.zeros(8, jnp.int32)))
    expected, of_plain = learned(dqn.DQN(), plain, *map(of_value, trees), sample=only_action)
    same(output, expected)
    same(of_value(gradient), of_plain)


def test_noise_of_scale_zero_is_no_noise():
    network, parameters, target_parameters = of_network(QNetwork(Dense((4,)), noisy=Noisy(scale=0.0)))
    trees = [
        {"params": {name.removeprefix("Noisy"): of for name, of in tree["params"].items()}}
        for tree in (parameters, target_parameters)
    ]
    of_weights = [jax.tree.map(lambda x: x, tree) for tree in trees]
    for tree in of_weights:
        for layer in tree["params"].values():
            del layer["kernel_sigma"], layer["bias_sigma"]
    expected = learned(dqn.DQN(), PLAIN.make((3,), 3), *of_weights)[0]
    for key in (None, jax.random.key(5)):
        same(learned(dqn.DQN(), network, parameters, target_parameters, key=key)[0], expected)


def of_rollout(lambda_, network, target_parameters):
    """Returns what a rollout of the steps of `SAMPLE` samples, which are those of one environment."""
    transition = SAMPLE.transition
    replay = Rollout(8, lambda_).make(step_of(transition, 0), 1, ConfiguredReturn(jnp.float32(0.9)))
    state = replay.init()
    for i in range(8):
        state = replay.add(state, step_of(transition, i), jnp.ones(1, bool))
    state = replay.before_training(state, lambda s_t: network.apply(target_parameters, s_t).q_values.max(-1))
    return replay.sample(state, jnp.zeros(8, jnp.uint32), jnp.int32(0), jnp.int32(0))


def step_of(transition, i):
    one = jax.tree.map(lambda x: x[i : i + 1], transition)
    no = jnp.zeros(1, bool)
    return Step(one.s_tm1, one.a_tm1, one.r_t, one.discount_t == 0, no, one.s_t)


def test_pqn_with_lambda_zero_is_dqn_with_half_of_the_squared_error():
    network, parameters, target_parameters = of_network(PLAIN)
    sample = of_rollout(0.0, network, target_parameters)
    ours = learned(pqn.PQN(), network, parameters, parameters, sample=sample)
    same(ours, learned(dqn.DQN(losses.HalfSquaredError()), network, parameters, target_parameters))


def test_pqn_learns_from_the_return_alone():
    network, parameters, target_parameters = of_network(PLAIN)
    sample = of_rollout(0.7, network, target_parameters)
    one, other = (learned(pqn.PQN(), network, parameters, of, sample=sample) for of in (parameters, target_parameters))
    same(one, other, rtol=0)
    q_tm1 = network.apply(parameters, SAMPLE.transition.s_tm1).q_values
    td_error = sample.transition.return_t - q_tm1[jnp.arange(8), SAMPLE.transition.a_tm1]
    np.testing.assert_allclose(one[0].loss, 0.5 * td_error**2, rtol=1e-5)


RECURRENT = QNetwork(Dense((4,)), memory=LSTM(5))
MEMORY = RANDOM.normal(size=(2, 10)).astype(np.float32)


def compiled(network):
    return network._replace(**{name: jax.jit(getattr(network, name)) for name in ("apply", "step", "unroll")})


def stepped(network, parameters, sequence):
    """Returns the values of all observations one by one, and the memory after each."""
    memory, values, memories = sequence.memory, [], []
    for t in range(sequence.a_tm1.shape[1]):
        memory = jnp.where(sequence.is_first[:, t, None], 0.0, memory)
        output, memory = network.step(parameters, sequence.s_tm1[:, t], memory)
        values.append(output.q_values)
        memories.append(memory)
    return jnp.stack(values, axis=1), jnp.stack(memories, axis=1)


def test_to_unroll_is_to_step_with_a_new_memory_where_an_episode_starts():
    network, parameters, _ = of_network(RECURRENT)
    network = compiled(network)
    sequence = sequences(jnp.asarray(MEMORY)).transition
    output, memories = network.unroll(parameters, sequence.s_tm1, sequence.memory, sequence.is_first)
    same((output.q_values, memories), stepped(network, parameters, sequence))
    fresh = network.apply(parameters, sequence.s_tm1).q_values
    same(output.q_values[:, 4], fresh[:, 4])  # the first of an episode
    assert not np.allclose(output.q_values[:, 0], fresh[:, 0], rtol=1e-3)
    assert not np.allclose(output.q_values[:, 5], fresh[:, 5], rtol=1e-3)


@pytest.mark.parametrize("burn_in", [0, 2])
def test_r2d2_is_rescaled_double_q_learning_stepped_through(burn_in):
    network, parameters, target_parameters = of_network(RECURRENT)
    sample = sequences(jnp.asarray(MEMORY))
    last = np.array([[1, 2, 3, 3, 5, 5]] * 2)  # as two-step returns have it
    s_t = jnp.take_along_axis(sample.transition.s_t, last[..., None], axis=1)
    sample = sample._replace(transition=sample.transition._replace(last=jnp.asarray(last), s_t=s_t))
    network = compiled(network)
    sequence, values, nexts = sample.transition, {}, {}
    for name, tree in (("online", parameters), ("target", target_parameters)):
        values[name], after = stepped(network, tree, sequence)
        nexts[name] = jnp.stack(
            [network.step(tree, s_t[:, t], after[:, last[0, t]])[0].q_values for t in range(6)], axis=1
        )
    error = jax.jit(jax.vmap(jax.vmap(lambda *x: targets.rescaled_double_q_learning(*x, eps=1e-3))))(
        values["online"], sequence.a_tm1, sequence.r_t, sequence.discount_t, nexts["target"], nexts["online"]
    )[:, burn_in:]
    output, gradient = learned(r2d2.R2D2(burn_in=burn_in), network, parameters, target_parameters, sample=sample)
    size = np.abs(error)
    np.testing.assert_allclose(output.loss, np.square(error).mean(1), rtol=1e-4)
    np.testing.assert_allclose(output.priority, 0.9 * size.max(1) + 0.1 * size.mean(1), rtol=1e-4)
    assert all(np.any(leaf != 0) for leaf in jax.tree.leaves(gradient))


def test_no_gradient_of_r2d2_flows_into_the_burn_in():
    network, parameters, target_parameters = of_network(RECURRENT)
    sample = sequences(jnp.asarray(MEMORY))

    def loss(observations):
        changed = sample._replace(transition=sample.transition._replace(s_tm1=observations))
        return r2d2.R2D2(burn_in=2).loss(network, parameters, target_parameters, changed, QUIET).loss.sum()

    of_steps = np.abs(jax.jit(jax.grad(loss))(sample.transition.s_tm1)).sum((0, 2))
    assert of_steps[:2].tolist() == [0.0, 0.0]
    assert (of_steps[2:] > 0).all()


def test_rainbow_without_parts_is_dqn_and_with_one_the_algorithm_of_that_part():
    base = Config(algorithm=dqn.DQN())
    assert rainbow.compose((), base) == ALGORITHMS["dqn"].config
    prioritised = dataclasses.replace(ALGORITHMS["prioritised_dqn"].config, replay=Prioritised(exponent=0.5))
    alone = {
        "double": ALGORITHMS["double_dqn"].config,
        "dueling": ALGORITHMS["dueling_dqn"].config,
        "prioritised": prioritised,
        "n_step": ALGORITHMS["n_step_dqn"].config,
        "distributional": ALGORITHMS["c51"].config,
        "noisy": ALGORITHMS["noisy_dqn"].config,
    }
    assert set(alone) == set(rainbow.PARTS)
    for part, config in alone.items():
        assert rainbow.compose((part,), base) == config, part
    assert rainbow.compose(rainbow.PARTS, base) == ALGORITHMS["rainbow"].config


def test_one_step_is_dqn():
    assert dataclasses.replace(ALGORITHMS["n_step_dqn"].config, n_step=1) == ALGORITHMS["dqn"].config


def test_rainbow_refuses_a_part_that_it_does_not_have():
    with pytest.raises(ValueError, match="'dreaming' is no part of Rainbow"):
        rainbow.compose(("double", "dreaming"), Config(algorithm=dqn.DQN()))


@configuration
class Own:
    """A torso of a user, with a field of the same name as that of `Dense`."""

    hidden: tuple[int, ...] = static((5,))


@pytest.mark.parametrize(
    ("torso", "shared", "own"),
    [
        (Dense((8, 6)), Dense((8,)), (6,)),
        (NATURE, Conv((32, 64, 64), (8, 4, 3), (4, 2, 1), hidden=()), (512,)),
        (Impala(width=2), Impala(width=2, hidden=()), (256,)),
        (Dense(()), Dense(()), (64,)),
        (Own(), Own(), (64,)),
    ],
    ids=["dense", "conv", "impala", "no hidden layer", "own"],
)
def test_the_dueling_part_of_rainbow_gives_each_stream_the_last_hidden_layer_of_the_torso(torso, shared, own):
    base = Config(algorithm=dqn.DQN(), network=QNetwork(torso, activation="tanh"))
    assert rainbow.compose(("double",), base).network == base.network
    assert rainbow.compose(("noisy",), base).network == dataclasses.replace(base.network, noisy=Noisy())
    found = rainbow.compose(("dueling",), base).network
    assert found == dataclasses.replace(base.network, torso=shared, dueling=Dueling(own))
