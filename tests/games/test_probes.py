"""Closed-form values of the probe games, against value iteration."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import games
from jaxdqn.games import exact_values, probe_memory, probe_picture, probes


@pytest.mark.parametrize("discount", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("name", [*probes.PROBES, *probes.PICTURE_PROBES])
def test_closed_form_equals_value_iteration(name, discount):
    probe = (probes.PROBES | probes.PICTURE_PROBES)[name]
    game = probe.make()
    solution = exact_values.solve(game, discount)
    closed_form = probe.closed_form(solution.observations, discount)
    assert closed_form.shape == (len(solution.observations), game.num_actions)
    np.testing.assert_allclose(solution.q_values, closed_form, rtol=1e-9)


def test_every_probe_of_the_games_table_has_known_values():
    known = {*probes.PROBES, *probes.MEMORY_PROBES, *probes.PICTURE_PROBES}
    assert {name for name in games.GAMES if name.startswith("probe_")} == known


@pytest.mark.parametrize(
    ("name", "actions", "rewards", "terminated", "truncated"),
    [
        ("probe_value", [0], [1], [True], [False]),
        ("probe_discount", [0, 0], [0, 1], [False, True], [False, False]),
        ("probe_action", [0], [-1], [True], [False]),
        ("probe_action", [1], [1], [True], [False]),
        ("probe_time_limit", [0] * 10, [1] * 10, [False] * 10, [False] * 9 + [True]),
    ],
)
def test_episode_is_as_described(name, actions, rewards, terminated, truncated):
    game = games.make(name)
    state = game.reset(jax.random.key(0))
    steps = []
    for action in actions:
        state, time_step = game.step(jax.random.key(0), state, action)
        steps.append((float(time_step.reward), bool(time_step.terminated), bool(time_step.truncated)))
    assert steps == list(zip(rewards, terminated, truncated, strict=True))


def test_discount_probe_observes_zero_then_one():
    game = games.make("probe_discount")
    start = game.reset(jax.random.key(0))
    _, time_step = game.step(jax.random.key(0), start, 0)
    assert (game.observe(start).tolist(), time_step.observation.tolist()) == ([0.0], [1.0])


@pytest.mark.parametrize(
    ("name", "action", "sign"), [("probe_observation", 0, 1), ("probe_both", 1, 1), ("probe_both", 0, -1)]
)
def test_random_observation_determines_the_reward(name, action, sign):
    game = games.make(name)

    def first_step(key):
        state = game.reset(key)
        return game.observe(state)[0], game.step(key, state, action)[1].reward

    observations, rewards = jax.jit(jax.vmap(first_step))(jax.random.split(jax.random.key(1), 1000))
    assert set(np.unique(observations)) == {-1.0, 1.0}
    assert abs(observations.mean()) < 0.15  # five standard deviations of a fair sign
    np.testing.assert_array_equal(rewards, sign * observations)


def test_rewards_of_the_random_reward_probe_have_the_declared_distribution():
    probe, num_samples = probes.PROBES["probe_random_reward"], 10_000
    game = probe.make()
    step = jax.vmap(lambda key: game.step(key, game.reset(key), 0)[1].reward)
    values, counts = np.unique(jax.jit(step)(jax.random.split(jax.random.key(2), num_samples)), return_counts=True)
    assert values.tolist() == probe.returns.values.tolist()
    frequencies = counts / num_samples
    np.testing.assert_allclose(frequencies, probe.returns.probabilities, atol=0.025)  # five standard deviations


def test_mean_of_the_random_reward_differs_from_median_and_mode_and_minimises_the_huber_loss():
    values, probabilities = probes.PROBES["probe_random_reward"].returns
    mean = values @ probabilities
    median = values[np.searchsorted(probabilities.cumsum(), 0.5)]
    assert (mean, median, values[probabilities.argmax()]) == (0.5, 1.0, 1.0)
    assert np.abs(values - mean).max() <= 1.0  # so a Huber loss with threshold 1 has its minimum at the mean


def test_memory_probe_observes_the_sign_once_and_rewards_it_in_the_last_step():
    game = games.make("probe_memory")
    for sign in (-1.0, 1.0):
        state = probe_memory.MemoryState(jnp.float32(sign), jnp.int32(0))
        seen, rewards, ends = [game.observe(state).tolist()], [], []
        for _ in range(4):
            state, time_step = game.step(jax.random.key(0), state, 1)
            seen.append(time_step.observation.tolist())
            rewards.append(float(time_step.reward))
            ends.append(bool(time_step.terminated))
        assert seen == [[sign, 0], [0, 0], [0, 0], [0, 1], [0, 0]]
        assert rewards == [0, 0, 0, sign]
        assert ends == [False, False, False, True]


def test_best_return_of_the_memory_probe_is_one_and_zero_without_memory():
    probe = probes.MEMORY_PROBES["probe_memory"]
    known = exact_values.model(probe.make())
    is_start = known.states.since == 0
    assert sorted(known.states.sign[is_start]) == [-1.0, 1.0]  # the mean over starts is the mean over a fair sign
    observations, index = np.unique(known.observations, axis=0, return_inverse=True)
    returns = []
    for actions in itertools.product([0, 1], repeat=len(observations)):
        total = 0.0
        for state in np.flatnonzero(is_start):
            terminated = False
            while not terminated:
                at = state, actions[index[state]], 0
                total += known.reward[at]
                state, terminated = known.successor[at], known.terminated[at]
        returns.append(total / is_start.sum())
    assert len(returns) == 2**4
    assert set(returns) == {probe.best_memoryless}

    value = exact_values.solve(probe.make(), discount=1.0).q_values.max(axis=1)
    assert value[is_start].tolist() == [probe.best] * 2


def test_picture_probe_shows_a_bar_and_rewards_the_action_that_matches_it():
    game = games.make("probe_picture")
    lying, standing = np.zeros((10, 10, 1)), np.zeros((10, 10, 1))
    lying[4, 6:9], standing[3:6, 7] = 255, 255
    for stands, picture in enumerate((lying, standing)):
        state = probe_picture.PictureState(jnp.int32(stands), jnp.int32(4), jnp.int32(7))
        assert game.observe(state).dtype == jnp.uint8
        np.testing.assert_array_equal(game.observe(state), picture)
        steps = [game.step(jax.random.key(0), state, action)[1] for action in (0, 1)]
        assert [float(step.reward) for step in steps] == ([-1, 1] if stands else [1, -1])
        assert all((bool(step.terminated), bool(step.truncated)) == (True, False) for step in steps)


def test_bars_of_the_picture_probe_lie_and_stand_everywhere_equally_often():
    game, num_samples = games.make("probe_picture"), 12_800
    starts = jax.jit(jax.vmap(game.reset))(jax.random.split(jax.random.key(3), num_samples))
    _, counts = np.unique(np.stack(starts), axis=1, return_counts=True)
    assert len(counts) == 2 * 8 * 8
    assert np.abs(counts - 100).max() < 50  # five standard deviations


def test_no_weighted_sum_of_cells_solves_the_picture_probe():
    game = games.make("probe_picture")
    pictures = np.asarray(jax.vmap(game.observe)(game.states())).reshape(2, 8, 8, 100).astype(int)
    lying, standing = pictures
    np.testing.assert_array_equal(
        lying[2:5, 5].sum(0), standing[3, 4:7].sum(0)
    )  # the nine cells around row 4, column 6
