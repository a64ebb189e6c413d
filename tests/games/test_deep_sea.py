"""Deep sea against a NumPy loop written from the rules of bsuite."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn.games import deep_sea, exact_values


def _dive(size, actions):
    """Plays an episode by the rules of bsuite: observations (including the first), rewards and ends."""
    right = np.random.RandomState(42).binomial(1, 0.5, [size, size])
    column = 0
    observations, rewards, ends = [np.zeros((size, size))], [], []
    observations[0][0, 0] = 1.0
    for row, action in enumerate(actions):
        reward = 0.0
        if action == right[row][column]:
            if column == size - 1:
                reward += 1.0
            reward -= 0.01 / size
            column = min(column + 1, size - 1)
        else:
            column = max(column - 1, 0)
        observation = np.zeros((size, size))
        if row + 1 < size:
            observation[row + 1, column] = 1.0
        observations.append(observation)
        rewards.append(reward)
        ends.append(row + 1 == size)
    return np.array(observations), np.array(rewards), np.array(ends)


def _play(game, actions):
    """Plays episodes of the same actions `[episodes, steps]` in our game."""

    def episode(actions):
        start = game.reset(jax.random.key(0))
        steps = jax.lax.scan(lambda state, action: game.step(jax.random.key(0), state, action), start, actions)[1]
        return game.observe(start), steps

    return jax.jit(jax.vmap(episode))(jnp.asarray(actions, jnp.int32))


def _path_to_the_treasure(size):
    return np.diag(deep_sea.mapping(size))  # right in every step


@pytest.mark.parametrize("size", [2, 4, 7, 10])
def test_episode_equals_the_numpy_loop(size):
    path = _path_to_the_treasure(size)
    paths = [path, 1 - path, np.append(path[:-1], 1 - path[-1])]
    actions = np.array([*paths, *np.random.RandomState(1).randint(2, size=(50, size))])
    first, steps = _play(deep_sea.make(size), actions)
    for i in range(len(actions)):
        observations, rewards, ends = _dive(size, actions[i])
        np.testing.assert_array_equal(first[i], observations[0])
        np.testing.assert_array_equal(steps.observation[i], observations[1:])
        np.testing.assert_allclose(steps.reward[i], rewards, rtol=1e-6)
        np.testing.assert_array_equal(steps.terminated[i], ends)
    assert not steps.truncated.any()


def test_exactly_one_path_finds_the_treasure():
    actions = np.array(list(itertools.product([0, 1], repeat=6)))
    returns = _play(deep_sea.make(6), actions)[1].reward.sum(axis=1)
    assert actions[returns > 0].tolist() == [_path_to_the_treasure(6).tolist()]
    np.testing.assert_allclose(np.sort(returns)[-2:], [0.0, 0.99], atol=1e-6)


@pytest.mark.parametrize("size", [4, 10, 50])
def test_best_return_is_0_99(size):
    solution = exact_values.solve(deep_sea.make(size), discount=1.0)
    start = (solution.states.row == 0) & (solution.states.column == 0)
    right = deep_sea.mapping(size)[0, 0]
    np.testing.assert_allclose(solution.q_values[start][0, [1 - right, right]], [0.0, 0.99], atol=1e-7)


def test_optimal_value_is_zero_below_the_diagonal():
    solution = exact_values.solve(deep_sea.make(6), discount=0.9)
    row, column = solution.states
    value = solution.q_values.max(axis=1)
    np.testing.assert_array_equal(value[column < row], 0.0)
    num_left = 5 - row[column == row]
    expected = 0.9**num_left - 0.01 / 6 * (1 - 0.9 ** (num_left + 1)) / (1 - 0.9)
    np.testing.assert_allclose(value[column == row], expected, rtol=1e-6)


def test_listed_states_equal_the_reached_states():
    size = 5
    reached = {
        tuple(np.argwhere(observation)[0])
        for actions in itertools.product([0, 1], repeat=size)
        for observation in _dive(size, actions)[0][:-1]
    }
    states = deep_sea.make(size).states()
    listed = list(zip(states.row.tolist(), states.column.tolist(), strict=True))
    assert len(listed) == len(set(listed))
    assert set(listed) == reached


def test_mapping_never_changes():
    assert deep_sea.mapping(4).tolist() == [[0, 1, 1, 1], [0, 0, 0, 1], [1, 1, 0, 1], [1, 0, 0, 0]]


def test_rendered_board_shows_the_diver_in_front_of_the_treasure():
    game = deep_sea.make(3)
    state = deep_sea.DeepSeaState(jnp.int32(1), jnp.int32(0))
    water, diver, treasure = deep_sea.WATER, deep_sea.DIVER, deep_sea.TREASURE
    expected = [[water, water, water], [diver, water, water], [water, water, treasure]]
    np.testing.assert_array_equal(game.render_board(state), np.array(expected, np.uint8), strict=True)
    np.testing.assert_array_equal(game.render_board(deep_sea.DeepSeaState(2, 2))[2, 2], diver)


def test_size_below_two_raises_an_error():
    with pytest.raises(ValueError, match="size >= 2, got 1"):
        deep_sea.make(1)
