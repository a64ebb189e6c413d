"""Contracts over the table of algorithms."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxdqn import games, learner, losses, optimizers
from jaxdqn.algorithms import ALGORITHMS, dqn
from jaxdqn.games import exact, probes
from jaxdqn.networks.mlp import MLP
from jaxdqn.networks.table import Table
from jaxdqn.training.evaluate import Evaluation
from runs import SMALL, advancing, plain, start

EVERY_ALGORITHM = pytest.mark.parametrize("name", ALGORITHMS)


def small(name):
    """Returns the algorithm with its own parts where it needs them, and small shared ones where not."""
    config = ALGORITHMS[name].config
    if config.replay.capacity == 1:  # learns online
        own = dataclasses.replace(config, discount=SMALL.discount, exploration=SMALL.exploration)
        if isinstance(config.network, Table):
            table = Table(bins=(5,), low=(-1.25,), high=(1.25,))
            return dataclasses.replace(own, network=table, learning_rate=0.01)  # of random rewards it keeps the mean
        return dataclasses.replace(own, network=SMALL.network, learning_rate=3e-3)
    return dataclasses.replace(SMALL, algorithm=config.algorithm)


def on_catch(name):
    config = small(name)
    return dataclasses.replace(config, network=SMALL.network) if isinstance(config.network, Table) else config


@EVERY_ALGORITHM
@pytest.mark.parametrize("probe", probes.PROBES)
def test_every_algorithm_learns_the_closed_form_of_every_probe(name, probe):
    game = probes.PROBES[probe].make()
    config, state = start(game, small(name))
    state, _ = advancing(game, Evaluation(every=20_000, episodes=1))(config, state)
    observations = exact.solve(game, 0.9).observations
    q_values = learner.make(config, game).network.apply(state.learner.parameters, observations).q_values
    np.testing.assert_allclose(q_values, probes.PROBES[probe].closed_form(observations, 0.9), atol=0.1)


@EVERY_ALGORITHM
def test_two_seeds_differ_and_one_seed_does_not(name):
    game = games.make("catch")
    advance = advancing(game)
    ends = [plain(advance(*start(game, on_catch(name), seed))) for seed in (0, 0, 1)]
    jax.tree.map(np.testing.assert_array_equal, ends[0], ends[1])
    kernels = [state.learner.parameters["params"]["Dense_0"]["kernel"] for state, _ in ends]
    assert not np.array_equal(kernels[0], kernels[2])
    assert not np.array_equal(ends[0][1].loss, ends[2][1].loss)


@EVERY_ALGORITHM
def test_no_key_is_used_twice(name):
    game = games.make("catch")
    advance = advancing(game, Evaluation(every=60, episodes=2, epsilon=0.1))
    with jax.debug_key_reuse(True):
        config, state = start(game, on_catch(name))
        state, _ = advance(config, state)
        advance(config, state)


@EVERY_ALGORITHM
def test_a_version_and_a_summary_stand_in_the_table(name):
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
        network=MLP(()),
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
