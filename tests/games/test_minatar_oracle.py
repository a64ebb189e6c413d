"""The MinAtar games equal the package `MinAtar`: states, rewards, ends and observations, with the same random numbers.

`.ci/run` installs the package without its dependencies; CONTRIBUTING.md says how.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import games
from jaxdqn.games.minatar import board, rules
from tests.helpers import minatar_package
from tests.helpers.minatar_package import ORIGINALS

minatar = minatar_package.load()

BATCH = 5_000  # transitions that are compared at once
# How many batches of each kind, 100,000 transitions of each game in all.
FIXED = {"episodes": 6, "long": 12, "scrambled": 2}  # games that never get harder
RAMPING = {"episodes": 4, "long": 7, "scrambled": 2}
NOT_RAMPING = {"long": 5, "scrambled": 2}
CASES = [
    *((name, True, FIXED) for name in ("breakout", "freeway")),
    *((name, True, RAMPING) for name in ("asterix", "seaquest", "space_invaders")),
    *((name, False, NOT_RAMPING) for name in ("asterix", "seaquest", "space_invaders")),
]

# How often a skilled policy acts in place of a random one, and the policy: it reaches few bricks, crossings, air, hits.
SKILLED = {
    "asterix": (0.0, None),
    "breakout": (0.95, lambda game, time: 3 if game.ball_x > game.pos else 1 if game.ball_x < game.pos else 0),
    "freeway": (0.8, lambda game, time: 2),
    "seaquest": (0.5, lambda game, time: 4 if time // 40 % 2 else 2),
    "space_invaders": (0.4, lambda game, time: 5),
}


def _package_game(name, ramping):
    game = minatar.Environment(name, sticky_action_prob=0.0, difficulty_ramping=ramping is not False).env
    game.random = minatar_package.Answers()
    return game


def _reset(game, answers=()):
    game.random.left = [*answers]
    game.reset()
    game.random.left.clear()


def _start_answers(name, words):
    """Returns the random numbers of a reset: which side the ball starts at, or velocities of cars."""
    if name == "breakout":
        return [0 if words[0] >> 31 else 1]
    return ORIGINALS["freeway"].answers(words, None) if name == "freeway" else []


def _go_on(name, game, random):
    """Continues after an end: in most games in the same state, so that they become hard. Adds rare states.

    Returns whether the state was changed.
    """
    rare = random.rand()
    is_over = game.terminal and (name in ("breakout", "freeway") or rare < 0.002)
    if is_over:
        _reset(game, _start_answers(name, random.randint(2**32, size=8, dtype=np.uint32)))
    game.terminal = False
    if name == "seaquest" and (rare > 0.98 or game.oxygen < 0):
        game.diver_count, game.oxygen = random.randint(-2, 7), max(game.oxygen, 100)
        return True
    if name == "freeway" and rare > 0.99:
        game.pos = random.randint(1, 10)
        return True
    return is_over


def _transitions(name, ramping, kind, random):
    """Yields batches of `(state, words, action, state after, reward, terminal, observation after)`."""
    original, game = ORIGINALS[name], _package_game(name, ramping)
    skill, skilled_action = SKILLED[name] if kind == "long" else (0.0, None)
    game.terminal, after = True, None
    while True:
        words = random.randint(2**32, size=(BATCH, original.rules.num_words), dtype=np.uint32)
        actions, is_skilled = random.randint(6, size=BATCH), random.rand(BATCH) < skill
        rows = []
        for t in range(BATCH):
            if kind == "scrambled":
                original.scramble(game, random)
                game.terminal, is_changed = False, True
            elif kind == "long" and after is not None:
                is_changed = _go_on(name, game, random)
            elif is_changed := game.terminal:
                _reset(game, _start_answers(name, words[t]))
            before = original.read(game) if is_changed else after
            action = skilled_action(game, t) if is_skilled[t] else actions[t]
            game.random.left = original.answers(words[t], game)
            reward, terminal = game.act(action)
            assert not game.random.left or name == "freeway"
            after = original.read(game)
            observation = np.array(game.state(), bool)
            lost = terminal and name != "freeway"  # freeway ends by time alone, which the rules here do not count
            rows.append((before, words[t], action, after, reward, lost, observation))
        yield jax.tree.map(lambda *x: _array(x), *rows)


def _array(leaves):
    array = np.array(leaves)
    return array if array.dtype in (bool, np.uint32) else array.astype(np.int32)


def _assert_equal(tree, expected):
    assert jax.tree.structure(tree) == jax.tree.structure(expected)
    for (path, leaf), other in zip(jax.tree.leaves_with_path(tree), jax.tree.leaves(expected), strict=True):
        different = np.flatnonzero((np.asarray(leaf) != np.asarray(other)).reshape(len(other), -1).any(axis=1))
        assert not len(different), f"{jax.tree_util.keystr(path)} differs in transitions {different[:5]}"


@pytest.mark.parametrize(("name", "ramping", "batches"), CASES)
def test_transitions_equal_those_of_the_package(name, ramping, batches):
    original = ORIGINALS[name]
    step = original.rules.step if ramping else original.rules.step_without_ramping

    @jax.jit
    def transition(words, state, action):
        state, reward, terminated = jax.vmap(step)(words, state, action)
        return state, reward, terminated, jax.vmap(lambda state: board.observation(original.rules.draw(state)))(state)

    def comparable(state, *rest):
        return original.comparable(jax.tree.map(np.asarray, state)), *map(np.asarray, rest)

    for kind, number in batches.items():
        random = np.random.RandomState(len(kind))
        for _, batch in zip(range(number), _transitions(name, ramping, kind, random), strict=False):
            before, words, action, *after = batch
            found = transition(words, before, action)
            _assert_equal(comparable(*found), comparable(*after))


def _words(keys, number):
    return np.asarray(jax.jit(jax.vmap(lambda key: rules.random_words(key, number)))(keys))


@pytest.mark.parametrize("name", ORIGINALS)
def test_games_equal_the_package_with_sticky_actions(name):
    original, game = ORIGINALS[name], games.make(f"minatar_{name}_full")
    package = minatar.Environment(name, sticky_action_prob=rules.STICKY, difficulty_ramping=True)
    package.random, package.env.random = minatar_package.Answers(), minatar_package.Answers()
    number = 2_600  # longer than an episode of freeway
    keys = jax.random.split(jax.random.key(3), (number, 2))
    actions = jax.random.randint(jax.random.key(4), (number,), 0, 6)

    def step(state, inputs):
        action, (key, reset_key) = inputs
        state, time_step = game.step(key, state, action)
        ended = time_step.terminated | time_step.truncated
        state_t = jax.tree.map(lambda fresh, old: jnp.where(ended, fresh, old), game.reset(reset_key), state)
        return state_t, (time_step, state.last_action, game.observe(state_t))

    start = jax.jit(game.reset)(keys[0, 0])
    _, found = jax.lax.scan(step, start, (actions, keys))
    time_steps, played, shown = jax.tree.map(np.asarray, found)
    num_words = original.rules.num_words
    words, words_of_starts = _words(keys[:, 0], 1 + num_words), _words(keys[:, 1], num_words)

    def reset(words):
        _reset(package.env, _start_answers(name, words))
        package.last_action = 0

    reset(_words(keys[:1, 0], num_words)[0])
    for t in range(number):
        package.random.left = [(words[t, 0] >> 8) * 2.0**-24]
        package.env.random.left = original.answers(words[t, 1:], package.env)
        reward, terminal = package.act(int(actions[t]))
        ended = time_steps.terminated[t] | time_steps.truncated[t]
        assert (reward, terminal, package.last_action) == (time_steps.reward[t], ended, played[t]), t
        np.testing.assert_array_equal(time_steps.observation[t], package.state(), strict=True)
        if terminal:
            reset(words_of_starts[t])
        np.testing.assert_array_equal(shown[t], package.state(), strict=True)
    assert (time_steps.truncated.any(), time_steps.terminated.any()) == (name == "freeway", name != "freeway")
    assert 0.06 < np.mean(played != actions) < 0.1  # a repeated action can be the chosen one
