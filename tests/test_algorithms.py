"""Contracts over the table of algorithms."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxdqn import games, learner
from jaxdqn.algorithms import ALGORITHMS
from jaxdqn.games import exact, probes
from jaxdqn.training.evaluate import Evaluation
from runs import SMALL, advancing, plain, start

EVERY_ALGORITHM = pytest.mark.parametrize("name", ALGORITHMS)


def small(name):
    return dataclasses.replace(SMALL, algorithm=ALGORITHMS[name].config.algorithm)


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
    ends = [plain(advance(*start(game, small(name), seed))) for seed in (0, 0, 1)]
    jax.tree.map(np.testing.assert_array_equal, ends[0], ends[1])
    kernels = [state.learner.parameters["params"]["Dense_0"]["kernel"] for state, _ in ends]
    assert not np.array_equal(kernels[0], kernels[2])
    assert not np.array_equal(ends[0][0].replay.packed[0], ends[2][0].replay.packed[0])


@EVERY_ALGORITHM
def test_no_key_is_used_twice(name):
    game = games.make("catch")
    advance = advancing(game, Evaluation(every=60, episodes=2, epsilon=0.1))
    with jax.debug_key_reuse(True):
        config, state = start(game, small(name))
        state, _ = advance(config, state)
        advance(config, state)


@EVERY_ALGORITHM
def test_a_version_and_a_summary_stand_in_the_table(name):
    assert ALGORITHMS[name].config.algorithm.version >= 1
    assert ALGORITHMS[name].summary
