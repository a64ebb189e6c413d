"""Contracts over the table of algorithms."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import config_fields, games, learner, losses, optimizers, target_network, targets
from jaxdqn.algorithms import ALGORITHMS, dqn, munchausen, pqn, r2d2
from jaxdqn.exploration import EpsilonGreedy
from jaxdqn.game_interfaces import Game
from jaxdqn.games import exact_values, probes
from jaxdqn.networks.dueling import Dueling
from jaxdqn.networks.ensemble import Ensemble
from jaxdqn.networks.heads import Categorical, ImplicitQuantiles, ProposedFractions, Quantiles
from jaxdqn.networks.memory import LSTM
from jaxdqn.networks.network import QNetwork
from jaxdqn.networks.noisy import Noisy
from jaxdqn.networks.torsos import Conv, Dense
from jaxdqn.networks.value_table import Table
from jaxdqn.training import loop, sample_and_learn
from jaxdqn.training import state as states
from jaxdqn.training.evaluate import Evaluation
from tests.helpers.runs import SMALL, advancing, plain, start

pytestmark = pytest.mark.usefixtures("unoptimised")

EVERY_ALGORITHM = pytest.mark.parametrize("name", ALGORITHMS)
ONE_ACTION = [name for name, probe in probes.PROBES.items() if probe.make().num_actions == 1]
DISCOUNT = 0.8
STEPS = 6_000  # of training on a probe
PERIOD = 256  # steps between evaluations of a run on pictures


def small(name):
    """Returns the algorithm with parts of its own kinds, all of them small: settings under which it learns a probe."""
    config = ALGORITHMS[name].config
    network, replay, target = config.network, config.replay, config.target_update
    if isinstance(network, Table):
        network = Table(bins=(5,), low=(-1.25,), high=(1.25,))
    elif isinstance(network, Ensemble):
        network = dataclasses.replace(network, member=small_q_network(network.member), num_members=2)
    else:
        network = small_q_network(network)
    own = dataclasses.replace(config, network=network, discount=DISCOUNT)
    if replay.capacity == 1:  # learns online
        rate = 0.01 if isinstance(network, Table) else 3e-3  # of random rewards a small one keeps the mean
        return dataclasses.replace(own, exploration=SMALL.exploration, learning_rate=rate)
    if isinstance(own.algorithm, pqn.PQN):
        return dataclasses.replace(
            own,
            learning_rate=2e-2,  # RAdam begins slowly
            num_environments=8,
            train_every=64,
            batch_size=64,
            num_minibatches=4,
            exploration=SMALL.exploration,
            replay=dataclasses.replace(replay, capacity=64),
        )
    if isinstance(target, target_network.LastCopies):
        target = dataclasses.replace(target, every=20, num_copies=3)
    elif isinstance(target, target_network.Periodic):
        target = SMALL.target_update
    replay = dataclasses.replace(replay, capacity=STEPS)  # nothing is forgotten
    if isinstance(own.algorithm, r2d2.R2D2):
        own = dataclasses.replace(own, algorithm=dataclasses.replace(own.algorithm, burn_in=2))
        replay = dataclasses.replace(replay, length=8)
    return dataclasses.replace(
        own,
        replay=replay,
        target_update=target,
        exploration=SMALL.exploration if isinstance(own.exploration, EpsilonGreedy) else own.exploration,
        learning_rate=2e-2
        if isinstance(config.network, QNetwork) and isinstance(config.network.head, Categorical)
        else 1e-2,
        batch_size=SMALL.batch_size,
        train_every=SMALL.train_every,
        num_environments=SMALL.num_environments,
        learning_starts=400,  # steps at random, so that both actions are known
    )


def small_q_network(network):
    head = network.head
    if isinstance(head, Categorical):  # the returns of all probes lie inside, and a bit away from the ends
        head = Categorical(num_atoms=25, v_min=-12.0, v_max=12.0)
    elif isinstance(head, Quantiles):
        head = Quantiles(num_quantiles=8)
    elif isinstance(head, ImplicitQuantiles):
        head = ImplicitQuantiles(num_quantiles=8, num_policy_quantiles=8, num_cosines=8, hidden=(16,))
    elif isinstance(head, ProposedFractions):
        head = ProposedFractions(num_quantiles=8, num_cosines=8, hidden=(16,))
    dueling = None if network.dueling is None else Dueling((16,))
    memory = None if network.memory is None else LSTM(16)
    return dataclasses.replace(network, torso=Dense((16,)), memory=memory, head=head, dueling=dueling)


def on_pictures(name):
    """Returns the algorithm with a torso whose only hidden layer is a convolution, and as little else as possible."""
    config, torso = small(name), Conv((4,), (3,), (1,), hidden=())
    network = SMALL.network if isinstance(config.network, Table) else config.network
    if isinstance(network, Ensemble):
        network = dataclasses.replace(network, member=dataclasses.replace(network.member, torso=torso))
    else:
        network = dataclasses.replace(network, torso=torso)
    return dataclasses.replace(config, network=network, learning_starts=min(config.learning_starts, 64))


def on_catch(name):
    config = small(name)
    config = dataclasses.replace(config, network=SMALL.network) if isinstance(config.network, Table) else config
    return dataclasses.replace(config, learning_starts=min(config.learning_starts, 64))


def probe_of(index):
    """Returns the game that is the probe of that number, which may be traced: one program trains on all side by side.

    All have two actions here; where a probe has but one, both do what it does.
    """
    made = [probe.make() for probe in probes.PROBES.values()]

    def reset(key):
        return jax.lax.switch(index, [game.reset for game in made], key)

    def step(key, state, action):
        return jax.lax.switch(index, [game.step for game in made], key, state, action)

    return Game("probe", 1, reset, step, made[0].observe, (1,), num_actions=2, max_steps=10)


def draws_in_passes(config):
    """Returns whether passes of its network have noise, or its loss draws itself."""
    network = getattr(config.network, "member", config.network)
    is_noisy = isinstance(network, QNetwork) and network.noisy is not None
    is_implicit = isinstance(network, QNetwork) and isinstance(network.head, ImplicitQuantiles)
    return is_noisy or is_implicit or config.algorithm.requires.passes is None


@EVERY_ALGORITHM
def test_a_loss_says_one_number_of_each_kind_an_example(name):
    config, game = config_fields.to_arrays(on_catch(name)), games.make("catch")  # of three actions
    parts = loop.parts_of(config, game)

    def output(key):
        sample = parts.replay.sample(parts.replay.init(), jnp.zeros(5, jnp.uint32), jnp.int32(0), jnp.int32(0))
        state, network = parts.learner.init(key), parts.learner.network
        return config.algorithm.loss(network, state.parameters, state.target_parameters, sample, key)

    leaves = jax.tree.leaves(jax.eval_shape(output, jax.random.key(0)))
    assert {(leaf.shape, leaf.dtype) for leaf in leaves} == {((5,), np.dtype(np.float32))}


def learned_values(config):
    """Yields each probe, its observations as `exact_values.solve` lists them, and the values that a run learned."""
    config = config_fields.to_arrays(config)

    @jax.jit
    def parameters_of_all(config):
        def train(index):
            parts = {"game": probe_of(index), "evaluation": Evaluation(every=STEPS, episodes=1)}
            state = loop.init(config, jax.random.key(0), game=parts["game"])
            return loop.advance(config, state, **parts)[0].learner.parameters

        return jax.vmap(train)(jnp.arange(len(probes.PROBES)))

    network = learner.make(config, probe_of(0)).network
    values = jax.jit(lambda parameters, observations: network.apply(parameters, observations).q_values)
    for name, parameters in zip(probes.PROBES, rows(parameters_of_all(config)), strict=True):
        observations = observations_of(name)
        if network.unroll is not None and name == "probe_discount":  # the second is never seen but after the first
            together = jnp.asarray(observations)[None], network.memory[None], jnp.zeros((1, 2), bool)
            yield name, observations, network.unroll(parameters, *together)[0].q_values[0]
        else:
            yield name, observations, values(parameters, observations)


@functools.cache
def observations_of(probe):
    return exact_values.solve(games.make(probe), DISCOUNT).observations


def rows(tree):
    tree = jax.device_get(tree)
    return [jax.tree.map(lambda x, i=i: x[i], tree) for i in range(len(probes.PROBES))]


def is_munchausen(config):
    return isinstance(config.algorithm, munchausen.MunchausenDQN | munchausen.MunchausenIQN)


def expected_values(config, probe, observations):
    """Returns the closed form `[S, 2]`, of a run that has converged."""
    values = probes.PROBES[probe].closed_form(observations, DISCOUNT) + np.zeros((1, 2))
    if is_munchausen(config):
        # The policy is cold, so the better action has all of it and the bonus of the worse one is the least there is.
        # Where both are equal the entropy is worth less than the tolerance.
        worse = values < values.max(axis=1, keepdims=True)
        values = values + config.algorithm.scale * config.algorithm.clip * worse
    return values


@EVERY_ALGORITHM
def test_every_algorithm_learns_the_closed_form_of_every_probe(name):
    config = small(name)
    for probe, observations, q_values in learned_values(config):
        if isinstance(config.algorithm, r2d2.R2D2):
            q_values = targets.signed_parabolic(q_values, eps=config.algorithm.eps)
        expected = expected_values(config, probe, observations)
        if probe in ONE_ACTION:  # both do the same, but a greedy agent may hardly know one of them
            q_values, expected = q_values.max(1), expected.max(1)
        tolerance = 0.25 if probe == "probe_random_reward" else 0.1  # the step size leaves some of its noise
        np.testing.assert_allclose(q_values, expected, rtol=0.02, atol=tolerance, err_msg=probe)


@pytest.mark.parametrize("name", [name for name in ALGORITHMS if not draws_in_passes(ALGORITHMS[name].config)])
def test_no_key_is_used_twice(name):
    """From the start of a run over two periods. JAX finds it when it traces the program, which is not compiled.

    JAX cannot see that each iteration of the loop takes another key out of an array, as random networks need it and
    losses that draw themselves; for them there is `test_no_two_passes_of_a_network_draw_the_same`.
    """
    game, config = games.make("catch"), config_fields.to_arrays(on_catch(name))
    advance = advancing(game, Evaluation(every=PERIOD, episodes=2, epsilon=0.1))

    def run(key):
        state, first = advance(config, loop.init(config, key, game=game))
        return advance(config, state), first

    with jax.debug_key_reuse(True):
        jax.jit(run).trace(jax.random.key(0))


@EVERY_ALGORITHM
def test_a_run_is_its_seed_and_learns_what_a_picture_shows(name):
    """One program for both, because compiling it takes longer than running it."""
    game, config = games.make("probe_picture"), on_pictures(name)
    advance = advancing(game, Evaluation(every=PERIOD, episodes=2, epsilon=0.1))
    network = config.network.make(game.observation_shape, game.num_actions)
    runs = [advance(*start(game, config, seed)) for seed in (0, 0, 1)]
    state = runs[0][0]
    for _ in range(15):
        state, _ = advance(config_fields.to_arrays(config), state)
    ends = [plain(run) for run in runs]
    jax.tree.map(np.testing.assert_array_equal, ends[0], ends[1])
    kernels = [jax.tree.leaves(state.learner.parameters) for state, _ in ends]
    assert not all(np.array_equal(one, other) for one, other in zip(kernels[0], kernels[2], strict=True))
    assert not np.array_equal(ends[0][1]["loss"], ends[2][1]["loss"])
    assert np.isfinite(ends[0][1]["loss"])

    pictures = observations_of("probe_picture")
    values = probes.PICTURE_PROBES["probe_picture"].closed_form(pictures, DISCOUNT)
    action = jax.jit(lambda parameters: network.apply(parameters, pictures).q_values.argmax(1))(
        state.learner.parameters
    )
    assert (action == values.argmax(1)).mean() >= 0.95


def is_random(network):
    return bool(jax.tree.leaves(jax.eval_shape(network.noise, jax.random.key(0))))


def with_noise(config):
    """Returns the configuration with noise on all layers, if its network may have it."""
    network, noisy = config.network, Noisy()
    if isinstance(network, Ensemble):
        network = dataclasses.replace(network, member=dataclasses.replace(network.member, noisy=noisy))
    elif isinstance(network, QNetwork) and network.memory is None:
        network = dataclasses.replace(network, noisy=noisy)
    return dataclasses.replace(config, network=network)


def rows_of(drawn, num_axes):
    """Returns what was drawn as rows of numbers, one for each place along the leading axes."""
    leaves = jax.tree.leaves(plain(drawn))
    number = np.prod(leaves[0].shape[:num_axes], dtype=int)
    return np.concatenate([leaf.reshape(number, -1).astype(np.float64) for leaf in leaves], axis=1)


def all_differ(rows):
    return len(np.unique(rows, axis=0)) == len(rows)


@EVERY_ALGORITHM
def test_no_two_passes_of_a_network_draw_the_same(name):
    """In the loss each pass has noise of its own; in an iteration no two choices, updates or minibatches share."""
    config = dataclasses.replace(with_noise(on_catch(name)), num_updates=2, num_minibatches=2)
    config = config_fields.to_arrays(config)
    parts = states.parts(config, games.make("catch"), jnp.float32)
    network, passes, given = parts.learner.network, config.algorithm.requires.passes, []
    numbers = jax.jit(lambda key: sample_and_learn.draw(parts, key))(jax.random.key(2))
    if passes is not None and (passes == 0 or not is_random(network)):
        assert jax.tree.leaves(numbers.learning) == []
    elif passes is None:  # a key for each minibatch; what a loss draws with it has a test of its own
        assert numbers.learning.shape == (2, 2)
        assert all_differ(rows_of(numbers.learning, 2))
        assert all_differ(rows_of(numbers.acting, 1))
    else:
        drawn = [rows_of(numbers.acting, 1), *(rows_of(of_pass, 2) for of_pass in numbers.learning)]
        assert [len(rows) for rows in drawn] == [config.train_every // config.num_environments] + [4] * passes
        assert all_differ(np.concatenate(drawn))

        def spy(parameters, observation, key=None):
            given.append(key)
            return network.apply(parameters, observation, key)

        learning = jax.eval_shape(parts.learner.init, jax.random.key(0))
        batch = jnp.zeros(config.batch_size, jnp.uint32)
        sample = jax.eval_shape(lambda: parts.replay.sample(parts.replay.init(), batch, 0, 0))
        noise = jax.tree.map(lambda x: x[0, 0], numbers.learning)
        of_shapes = (learning.parameters, learning.target_parameters, sample)
        jax.eval_shape(lambda *data: config.algorithm.loss(network._replace(apply=spy), *data, noise), *of_shapes)
        assert len(given) >= min(2, passes)
        assert all_differ(np.concatenate([rows_of(noise, 0) for noise in given]))


@EVERY_ALGORITHM
def test_the_table_has_a_version_and_a_summary(name):
    assert ALGORITHMS[name].config.algorithm.version >= 1
    assert ALGORITHMS[name].summary


def test_tabular_q_learning_is_the_loop_that_the_paper_writes():
    """Watkins' equation in NumPy, on the transitions that the run itself has stored."""
    game = games.make("mountain_car")
    network = Table(bins=(60, 50), low=(-1.2, -0.07), high=(0.6, 0.07))
    config = dataclasses.replace(
        ALGORITHMS["tabular_q_learning"].config, network=network, learning_rate=0.3, discount=0.9
    )
    config, state = start(game, config)
    table, advance = np.zeros((60 * 50, 3)), advancing(game, Evaluation(every=1, episodes=1))

    def cell(observation):
        place = (observation - [-1.2, -0.07]) / [1.8, 0.14] * [60, 50]
        row, column = np.clip(np.floor(place).astype(int), 0, [59, 49])
        return row * 50 + column

    for _ in range(450):  # two time limits among them
        state, _ = advance(config, state)
        row = np.asarray(state.replay.packed[0])[0, 0]  # s_tm1, a_tm1, r_t, terminated, truncated, s_t
        before, action, after = cell(row[:2]), int(row[2]), cell(row[6:])
        table[before, action] += 0.3 * (row[3] + 0.9 * (row[4] == 0) * table[after].max() - table[before, action])
    np.testing.assert_allclose(state.learner.parameters["params"]["values"], table, rtol=0, atol=1e-6)
    assert np.count_nonzero(table) > 10


def test_naive_deep_q_learning_learns_from_the_newest_transition_and_no_other():
    """A linear network in NumPy, pulled a part of the way to its target after each step."""
    game = games.make("cartpole")
    config = dataclasses.replace(
        ALGORITHMS["naive_deep_q_learning"].config,
        algorithm=dqn.DQN(error=losses.SquaredError(blend=0.25)),
        network=QNetwork(Dense(())),
        optimizer=optimizers.SGD(),
        learning_rate=0.1,
        discount=0.9,
    )
    config, state = start(game, config)
    dense = state.learner.parameters["params"]["Dense_0"]
    kernel, bias = np.array(dense["kernel"], np.float64), np.zeros(2)
    advance, num_terminated = advancing(game, Evaluation(every=1, episodes=1)), 0
    for _ in range(60):
        state, _ = advance(config, state)
        row = np.asarray(state.replay.packed[0])[0, 0]  # s_tm1, a_tm1, r_t, terminated, truncated, s_t
        before, action, terminated, after = row[:4], int(row[4]), row[6], row[8:]
        target = row[5] + 0.9 * (1 - terminated) * (after @ kernel + bias).max()
        change = 2 * 0.25 * (target - (before @ kernel + bias)[action])
        kernel[:, action] += 0.1 * change * before
        bias[action] += 0.1 * change
        num_terminated += terminated
    dense = state.learner.parameters["params"]["Dense_0"]
    np.testing.assert_allclose(dense["kernel"], kernel, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(dense["bias"], bias, rtol=1e-4, atol=1e-5)
    assert num_terminated >= 1
