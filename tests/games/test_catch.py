"""Catch equals its source, the class `Game` of the guide, in every step."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn.games import catch, exact_values

BOARDS = [(10, 10), (1, 4), (2, 5), (3, 12), (12, 6)]


class DocumentGame:
    """The class `Game` of the source, without the output on a terminal; its random numbers come from `random`."""

    def __init__(self, shape=(10, 10), random=None):
        self.random = random or np.random.RandomState(0)
        self.shape = shape
        self.height, self.width = shape
        self.last_row = self.height - 1
        self.paddle_padding = 1
        self.n_actions = 3  # left, stay, right
        self.reset()

    def reset(self):
        # reset grid
        self.grid = np.zeros(self.shape)

        # can only move left or right (or stay)
        # so position is only its horizontal position (col)
        self.pos = self.random.randint(self.paddle_padding, self.width - 1 - self.paddle_padding)
        self.set_paddle(1)

        # item to catch
        self.target = (0, self.random.randint(self.width - 1))
        self.set_position(self.target, 1)

    def move(self, action):
        # clear previous paddle position
        self.set_paddle(0)

        # action is either -1, 0, 1,
        # but comes in as 0, 1, 2, so subtract 1
        action -= 1
        self.pos = min(max(self.pos + action, self.paddle_padding), self.width - 1 - self.paddle_padding)

        # set new paddle position
        self.set_paddle(1)

    def set_paddle(self, val):
        for i in range(1 + self.paddle_padding * 2):
            pos = self.pos - self.paddle_padding + i
            self.set_position((self.last_row, pos), val)

    @property
    def state(self):
        return self.grid.reshape((1, -1)).copy()

    def set_position(self, pos, val):
        r, c = pos
        self.grid[r, c] = val

    def update(self):
        r, c = self.target

        self.set_position(self.target, 0)
        self.set_paddle(1)  # in case the target is on the paddle
        self.target = (r + 1, c)

        # off the map, it's gone
        if r == self.last_row:
            # reward of 1 if collided with paddle, else -1
            if abs(c - self.pos) <= self.paddle_padding:
                return 1
            return -1

        self.set_position(self.target, 1)

        return 0


def _document_game(rows, columns, paddle, ball):
    """Returns a game of the source that starts in these columns."""
    game = DocumentGame((rows, columns))
    game.grid[:] = 0
    game.pos, game.target = paddle, (0, ball)
    game.set_paddle(1)
    game.set_position(game.target, 1)
    return game


def _document_episode(game, actions):
    """Plays an episode in the source's loop and returns observations (including the first) and rewards."""
    observations, rewards = [game.state[0]], []
    for action in actions:
        game.move(action)
        rewards.append(game.update())
        observations.append(game.state[0])
        if rewards[-1]:
            break
    return np.array(observations), np.array(rewards)


@pytest.mark.parametrize(("rows", "columns"), BOARDS)
def test_episode_equals_the_source(rows, columns):
    num_episodes = 100
    random = np.random.RandomState(1)
    actions = random.randint(3, size=(num_episodes, rows)).astype(np.int32)
    originals = [DocumentGame((rows, columns), random) for _ in range(num_episodes)]
    start = catch.CatchState(
        jnp.zeros(num_episodes, jnp.int32),
        jnp.array([original.target[1] for original in originals], jnp.int32),
        jnp.array([original.pos for original in originals], jnp.int32),
    )
    game = catch.make(rows, columns)

    def play(state, actions):
        step = jax.lax.scan(lambda state, action: game.step(jax.random.key(0), state, action), state, actions)[1]
        return game.observe(state), step

    first, steps = jax.jit(jax.vmap(play))(start, actions)
    for i, original in enumerate(originals):
        observations, rewards = _document_episode(original, actions[i])
        assert len(rewards) == rows
        np.testing.assert_array_equal(first[i], observations[0])
        np.testing.assert_array_equal(steps.observation[i], observations[1:])
        np.testing.assert_array_equal(steps.reward[i], rewards)
        np.testing.assert_array_equal(steps.terminated[i], rewards != 0)
    assert not steps.truncated.any()
    assert set(np.unique(steps.reward)) <= {-1.0, 0.0, 1.0}


@pytest.mark.parametrize(("rows", "columns"), [(10, 10), (2, 5)])
def test_start_columns_have_the_distribution_of_the_source(rows, columns):
    random, num_samples = np.random.RandomState(2), 3000
    original = DocumentGame((rows, columns), random)
    expected_pairs = set()
    for _ in range(num_samples):
        original.reset()
        expected_pairs.add((original.pos, original.target[1]))
    start = jax.jit(jax.vmap(catch.make(rows, columns).reset))(jax.random.split(jax.random.key(2), num_samples))
    pairs = list(zip(start.paddle_column.tolist(), start.ball_column.tolist(), strict=True))
    assert not start.ball_row.any()
    assert set(pairs) == expected_pairs == set(itertools.product(range(1, columns - 2), range(columns - 1)))

    # Each pair is equally likely: the chi-squared statistic lies within five standard deviations of its mean.
    counts = np.unique(np.array(pairs), axis=0, return_counts=True)[1]
    expected, freedom = num_samples / len(counts), len(counts) - 1
    assert abs(((counts - expected) ** 2 / expected).sum() - freedom) < 5 * np.sqrt(2 * freedom)


@pytest.mark.parametrize(("rows", "columns"), [(1, 4), (4, 5), (3, 8)])
def test_listed_states_equal_the_states_reached_by_the_source(rows, columns):
    frontier = [(0, ball, paddle) for paddle in range(1, columns - 2) for ball in range(columns - 1)]
    reached = set(frontier)
    while frontier:
        row, ball, paddle = frontier.pop()
        for action in range(3):
            original = _document_game(rows, columns, paddle, ball)
            original.target = (row, ball)
            original.move(action)
            state = (row + 1, ball, original.pos)
            if original.update() == 0 and state not in reached:
                reached.add(state)
                frontier.append(state)
    states = catch.make(rows, columns).states()
    listed = list(zip(*(leaf.tolist() for leaf in states), strict=True))
    assert len(listed) == len(set(listed))
    assert set(listed) == reached


def test_every_start_on_the_default_board_can_be_won():
    solution = exact_values.solve(catch.make(), discount=0.9)
    states, greedy = solution.states, solution.q_values.argmax(axis=1)
    action_of = dict(zip(zip(*(leaf.tolist() for leaf in states), strict=True), greedy.tolist(), strict=True))
    starts = [(paddle, ball) for paddle in range(1, 8) for ball in range(9)]
    for paddle, ball in starts:
        original = _document_game(10, 10, paddle, ball)
        reward = 0
        while reward == 0:
            original.move(action_of[(*original.target, original.pos)])
            reward = original.update()
        assert reward == 1
    value = solution.q_values[states.ball_row == 0].max(axis=1)
    np.testing.assert_allclose(value, np.full(len(starts), 0.9**9), rtol=1e-12)


def test_value_of_a_start_is_one_exactly_if_it_can_be_won():
    rows, columns = 3, 12
    solution = exact_values.solve(catch.make(rows, columns), discount=1.0)
    won = set()
    for paddle, ball in itertools.product(range(1, columns - 2), range(columns - 1)):
        for actions in itertools.product(range(3), repeat=rows):
            if _document_episode(_document_game(rows, columns, paddle, ball), actions)[1][-1] == 1:
                won.add((paddle, ball))
    start = solution.states.ball_row == 0
    pairs = zip(solution.states.paddle_column[start].tolist(), solution.states.ball_column[start].tolist(), strict=True)
    values = dict(zip(pairs, solution.q_values[start].max(axis=1).tolist(), strict=True))
    assert 0 < len(won) < len(values)
    assert values == {pair: 1.0 if pair in won else -1.0 for pair in values}


def test_paddle_hides_the_ball_and_staying_wins():
    solution = exact_values.solve(catch.make(), discount=0.9)
    row, ball, paddle = solution.states
    hidden = (row == 9) & (np.abs(ball - paddle) <= 1) & (paddle == 4)
    assert ball[hidden].tolist() == [3, 4, 5]
    assert np.ptp(solution.observations[hidden], axis=0).max() == 0.0
    np.testing.assert_array_equal(solution.q_values[hidden], [[1, 1, -1], [1, 1, 1], [-1, 1, 1]])


@pytest.mark.parametrize("noise", [1.0, 0.25])
def test_noise_does_not_change_the_optimal_values(noise):
    noiseless, noisy = (exact_values.solve(catch.make(4, 6, noise=number), discount=0.9) for number in (0.0, noise))
    assert noiseless.q_values.any()
    np.testing.assert_allclose(noisy.q_values, noiseless.q_values, rtol=1e-9)


def test_noise_adds_a_fair_random_sign_to_every_reward_and_changes_nothing_else():
    noiseless, noisy = catch.make(), catch.make(noise=0.5)

    def play(step, start, keys):
        return jax.lax.scan(lambda state, now: step(now[0], state, now[1]), start, (keys, jnp.arange(10) % 3))[1]

    start = catch.CatchState(jnp.int32(0), jnp.int32(2), jnp.int32(4))
    keys = jax.random.split(jax.random.key(3), (1000, 10))
    play = jax.jit(jax.vmap(play, in_axes=(None, None, 0)), static_argnums=0)
    expected, steps = (play(game.step, start, keys) for game in (noiseless, noisy))
    jax.tree.map(np.testing.assert_array_equal, steps._replace(reward=0), expected._replace(reward=0))
    signs = (steps.reward - expected.reward) * 2
    assert set(np.unique(signs)) == {-1.0, 1.0}
    assert np.abs(signs.mean(axis=0)).max() < 5 / np.sqrt(1000)  # five standard deviations, in each of the ten steps
    assert np.abs(np.corrcoef(signs.T) - np.eye(10)).max() < 5 / np.sqrt(1000)


def test_negative_noise_raises_an_error():
    with pytest.raises(ValueError, match="noise >= 0, got -1"):
        catch.make(noise=-1.0)


@pytest.mark.parametrize(("rows", "columns"), [(0, 10), (10, 3)])
def test_board_that_is_too_small_raises_an_error(rows, columns):
    with pytest.raises(ValueError, match=f"rows={rows}, columns={columns}"):
        catch.make(rows, columns)


def test_name_depends_on_board_and_noise():
    assert catch.make().name == "catch"
    assert catch.make(5, 8).name == "catch_5x8"
    assert catch.make(noise=1).name == "catch_noisy"
    assert catch.make(5, 8, noise=0.5).name == "catch_5x8_noisy_0.5"
