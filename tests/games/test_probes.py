"""The probe games' closed forms, against value iteration."""

import jax
import numpy as np
import pytest

from jaxdqn import games
from jaxdqn.games import exact, probes


@pytest.mark.parametrize("discount", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("name", probes.PROBES)
def test_closed_form_equals_value_iteration(name, discount):
    probe = probes.PROBES[name]
    game = probe.make()
    solution = exact.solve(game, discount)
    closed_form = probe.closed_form(solution.observations, discount)
    assert closed_form.shape == (len(solution.observations), game.num_actions)
    np.testing.assert_allclose(solution.q_values, closed_form, rtol=1e-9)


def test_every_probe_of_the_games_table_has_known_values():
    assert {name for name in games.GAMES if name.startswith("probe_")} == {*probes.PROBES, *probes.MEMORY_PROBES}


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


def test_discount_probe_shows_zero_then_one():
    game = games.make("probe_discount")
    start = game.reset(jax.random.key(0))
    _, time_step = game.step(jax.random.key(0), start, 0)
    assert (game.observe(start).tolist(), time_step.observation.tolist()) == ([0.0], [1.0])


@pytest.mark.parametrize(
    ("name", "action", "sign"), [("probe_observation", 0, 1), ("probe_both", 1, 1), ("probe_both", 0, -1)]
)
def test_random_observation_decides_the_reward(name, action, sign):
    game = games.make(name)

    def first_step(key):
        state = game.reset(key)
        return game.observe(state)[0], game.step(key, state, action)[1].reward

    observations, rewards = jax.jit(jax.vmap(first_step))(jax.random.split(jax.random.key(1), 1000))
    assert set(np.unique(observations)) == {-1.0, 1.0}
    assert abs(observations.mean()) < 0.15  # five standard deviations of a fair sign
    np.testing.assert_array_equal(rewards, sign * observations)
