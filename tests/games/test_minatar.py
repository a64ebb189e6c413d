"""MinAtar: what the package does not tell: distributions, options, action sets, time limits and pictures."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import games
from jaxdqn.games.minatar import asterix, breakout, freeway, rules, seaquest, seaquest_objects, space_invaders
from tests.helpers import runs

NUM_SAMPLES = 60_000
# Actions of the minimal set in the numbering of all six, channels, and steps until the time limit.
FACTS = {
    "asterix": ((0, 1, 2, 3, 4), 4, 10_000),
    "breakout": ((0, 1, 3), 4, 10_000),
    "freeway": ((0, 2, 4), 7, 2_501),
    "seaquest": ((0, 1, 2, 3, 4, 5), 10, 10_000),
    "space_invaders": ((0, 1, 3, 5), 6, 10_000),
}


def _assert_frequencies(samples, probabilities):
    """Checks how often each sample occurs: five standard deviations, of any number of outcomes."""
    found, counts = np.unique(np.stack(samples, axis=-1), axis=0, return_counts=True)
    found = dict(zip(map(tuple, found.tolist()), counts, strict=True))
    number = len(samples[0])
    assert found.keys() == probabilities.keys()
    for outcome, probability in probabilities.items():
        deviation = np.sqrt(number * probability * (1 - probability))
        assert abs(found[outcome] - number * probability) < 5 * deviation, outcome


def _words(number):
    keys = jax.random.split(jax.random.key(0), NUM_SAMPLES)
    return jax.jit(jax.vmap(lambda key: rules.random_words(key, number)))(keys)


def _objects_after(module, objects, **options):
    """Returns the objects after a step without an action, for every sample of random words."""
    step = functools.partial(module.step, **options)
    state, _, _ = jax.jit(jax.vmap(step, in_axes=(0, None, None)))(_words(2), objects, jnp.int32(0))
    return jax.tree.map(np.asarray, state)


@pytest.mark.parametrize("name", FACTS)
def test_action_sets_channels_and_limits_are_those_of_minatar(name):
    actions, num_channels, max_steps = FACTS[name]
    minimal, full = games.make(f"minatar_{name}"), games.make(f"minatar_{name}_full")
    assert (minimal.num_actions, full.num_actions) == (len(actions), 6)
    assert minimal.observation_shape == full.observation_shape == (10, 10, num_channels)
    assert minimal.max_steps == full.max_steps == max_steps


@pytest.mark.parametrize("name", FACTS)
def test_actions_of_the_minimal_set_are_numbered_in_the_order_of_all_six(name):
    for full_actions, actions in ((False, FACTS[name][0]), (True, range(6))):
        game = rules.make(games.MINATAR[name][0], full_actions=full_actions, sticky=0.0)
        state = game.reset(jax.random.key(0))
        step = jax.jit(lambda action, game=game, state=state: game.step(jax.random.key(0), state, action)[0])
        assert [int(step(action).last_action) for action in range(game.num_actions)] == list(actions)


@pytest.mark.parametrize(("options", "probability"), [({}, 0.1), ({"sticky": 0.25}, 0.25)])
def test_the_last_action_is_repeated_with_the_sticky_probability(options, probability):
    game = rules.make(breakout.RULES, full_actions=True, **options)
    state = game.reset(jax.random.key(0))._replace(last_action=jnp.int32(3))
    keys = jax.random.split(jax.random.key(1), NUM_SAMPLES)
    after = jax.jit(jax.vmap(lambda key: game.step(key, state, jnp.int32(1))[0]))(keys)
    _assert_frequencies([np.asarray(after.last_action)], {(3,): probability, (1,): 1 - probability})
    # The repeated action moves the paddle, which starts in column 4.
    np.testing.assert_array_equal(after.objects.paddle, np.where(after.last_action == 3, 5, 3))


@pytest.mark.parametrize(("sticky", "paddle"), [(0.0, 0), (1.0, 4)])
def test_without_stickiness_every_action_counts_and_with_full_stickiness_none(sticky, paddle):
    game = rules.make(breakout.RULES, sticky=sticky)
    state = game.reset(jax.random.key(0))
    for key in jax.random.split(jax.random.key(1), 5):
        state, _ = jax.jit(game.step)(key, state, jnp.int32(1))
    assert state.objects.paddle == paddle


def test_breakout_starts_at_both_edges_equally_often():
    start = jax.jit(jax.vmap(breakout.start))(_words(1))
    _assert_frequencies([np.asarray(start.ball_column), np.asarray(start.column_step)], {(0, 1): 1 / 2, (9, -1): 1 / 2})


def test_freeway_samples_velocities_uniformly_and_independently():
    velocities = np.asarray(jax.jit(jax.vmap(freeway.start))(_words(8)).velocities)
    values = [speed * sign for speed in range(1, 6) for sign in (-1, 1)]
    for car in range(8):
        _assert_frequencies([velocities[:, car]], {(value,): 1 / 10 for value in values})
    _assert_frequencies([velocities[:, 0], velocities[:, 1]], {(a, b): 1 / 100 for a in values for b in values})


def test_asterix_puts_new_objects_into_uniform_empty_rows():
    kinds = np.array([1, 0, 2, 0, 0, 1, 1, 2], np.int32)
    objects = asterix.start(None)._replace(spawn_countdown=jnp.int32(0), kinds=jnp.asarray(kinds))
    after = _objects_after(asterix, objects, ramping=True)
    row = np.argmax(after.kinds != kinds, axis=1)
    chosen = np.arange(NUM_SAMPLES), row
    expected = {
        (slot, column, direction, kind): 1 / 2 / 3 * share
        for slot in (1, 3, 4)
        for column, direction in ((0, 1), (9, -1))
        for kind, share in ((asterix.GOLD, 1 / 3), (asterix.ENEMY, 2 / 3))
    }
    _assert_frequencies([row, after.columns[chosen], after.directions[chosen], after.kinds[chosen]], expected)


def test_seaquest_samples_rows_directions_and_kinds():
    objects = seaquest.start(None)._replace(spawn_countdown=jnp.int32(0), diver_countdown=jnp.int32(0))
    after = _objects_after(seaquest, objects, ramping=True)
    enemy = jax.tree.map(lambda x: x[:, 0], after.enemies)
    places = [(row, column, direction) for row in range(1, 9) for column, direction in ((0, 1), (9, -1))]
    kinds = {seaquest_objects.SUBMARINE: 1 / 3, seaquest_objects.FISH: 2 / 3}
    _assert_frequencies(
        [enemy.row, enemy.column, enemy.direction, enemy.kind],
        {(*place, kind): share / 16 for place in places for kind, share in kinds.items()},
    )
    diver = jax.tree.map(lambda x: x[:, 1], after.divers)
    _assert_frequencies([diver.row, diver.column, diver.direction], dict.fromkeys(places, 1 / 16))
    _assert_frequencies([enemy.direction, diver.direction], {(a, b): 1 / 4 for a in (-1, 1) for b in (-1, 1)})


# Objects just before the game gets harder, an action of the six, and the period that falls then.
HARDER = {
    "asterix": (asterix, {"ramp_countdown": -1}, rules.NOTHING, "spawn_period"),
    "seaquest": (seaquest, {"row": 1, "num_divers": 1, "at_surface": False}, rules.UP, "spawn_period"),
    "space_invaders": (space_invaders, {"aliens": [0] * 10}, rules.NOTHING, "move_period"),
}


@pytest.mark.parametrize("name", HARDER)
def test_games_get_harder_only_with_ramping(name):
    module, changes, action, period = HARDER[name]
    fell = {}
    for ramping in (True, False):
        game = rules.make(module.RULES, full_actions=True, sticky=0.0, ramping=ramping)
        state = game.reset(jax.random.key(0))
        objects = state.objects._replace(**{field: jnp.asarray(value) for field, value in changes.items()})
        after, _ = jax.jit(game.step)(jax.random.key(0), state._replace(objects=objects), jnp.int32(action))
        fell[ramping] = int(getattr(objects, period) - getattr(after.objects, period))
    assert fell == {True: 1, False: 0}


def test_an_episode_is_cut_after_so_many_steps():
    game = rules.make(freeway.RULES, max_steps=3)
    state, step, truncated = game.reset(jax.random.key(0)), jax.jit(game.step), []
    for key in jax.random.split(jax.random.key(1), 3):
        state, time_step = step(key, state, jnp.int32(0))
        truncated.append((bool(time_step.terminated), bool(time_step.truncated)))
    assert truncated == [(False, False), (False, False), (False, True)]


def test_names_tell_the_options():
    options = {"full_actions": True, "sticky": 0.25, "ramping": False, "max_steps": 500}
    assert rules.make(asterix.RULES, **options).name == "minatar_asterix_full_sticky_0.25_no_ramping_500"
    assert rules.make(freeway.RULES, sticky=0.0, max_steps=10_000).name == "minatar_freeway_sticky_0_10000"


@pytest.mark.parametrize("sticky", [-0.1, 1.1])
def test_a_sticky_probability_out_of_range_raises_an_error(sticky):
    with pytest.raises(ValueError, match=f"minatar_seaquest needs a probability sticky of 0 to 1, got {sticky}"):
        rules.make(seaquest.RULES, sticky=sticky)


@pytest.mark.parametrize("name", ["breakout", "freeway"])
def test_ramping_cannot_be_turned_off_in_a_game_that_never_gets_harder(name):
    with pytest.raises(ValueError, match=f"minatar_{name} never gets harder"):
        rules.make(games.MINATAR[name][0], ramping=False)


def test_pictures_show_the_first_channel_of_a_cell_in_its_colour():
    game = games.make("minatar_breakout")
    state = game.reset(jax.random.key(0))
    picture = np.asarray(game.render_board(state))
    expected = np.zeros((10, 10, 3), np.uint8)
    expected[1:4] = breakout.BRICK
    expected[3, int(state.objects.ball_column)] = breakout.BALL
    expected[9, 4] = breakout.PADDLE
    np.testing.assert_array_equal(picture, expected, strict=True)


@pytest.mark.parametrize("name", FACTS)
def test_channels_have_colours_of_their_own(name):
    colours = set()
    game = games.make(f"minatar_{name}")
    state, step = game.reset(jax.random.key(0)), jax.jit(game.step)
    render = jax.jit(game.render_board)
    for key in jax.random.split(jax.random.key(1), 40):
        state, _ = step(key, state, jnp.int32(game.num_actions - 1))
        colours |= set(map(tuple, np.asarray(render(state)).reshape(-1, 3).tolist()))
    assert (0, 0, 0) in colours
    assert len(colours) >= 4


def test_dqn_trains_on_boolean_boards():
    game = games.make("minatar_breakout")
    config, state = runs.start(game, runs.SMALL)
    state, curves = runs.advancing(game)(config, state)
    assert state.step == runs.EVALUATION.every
    assert np.isfinite(curves["loss"])
    assert curves["evaluation_return"] >= 0.0
