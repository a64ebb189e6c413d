"""Properties that every game in the table must have."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxdqn import action_masks, games

NUM_ENVIRONMENTS = 16


DEEP_SEAS = [name for name in games.GAMES if name.startswith("deep_sea_")]
ONE_START = {"probe_value", "probe_discount", "probe_action", "probe_time_limit", "probe_random_reward"}
# Only the smallest and the largest deep sea are checked, the smaller board of connect, and two of the MinAtar games:
# these share most of their code.
NOT_CHECKED = {"connect_four", *DEEP_SEAS[1:-1], *(name for name in games.GAMES if name.startswith("minatar_"))}
CHECKED = [*(name for name in games.GAMES if name not in NOT_CHECKED), "minatar_breakout", "minatar_freeway"]
LIMITED = ["cartpole", "mountain_car", "acrobot", "minatar_breakout", "minatar_freeway"]


@pytest.fixture(scope="module", params=CHECKED)  # one object for each game, so that tests share compiled functions
def game(request):
    return games.make(request.param)


def _starts(game):
    """Returns the starts of `NUM_ENVIRONMENTS` episodes, stacked."""
    keys = jax.random.split(jax.random.key(0), NUM_ENVIRONMENTS)
    return jax.tree.map(lambda *leaves: np.stack(leaves), *map(jax.jit(game.reset), keys))


def _assert_same(tree, other, **tolerances):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, strict=True, **tolerances), tree, other)


def _signature(tree):
    """Returns shapes, dtypes and weak types: a scan needs them to be equal in its carry."""
    return jax.tree.map(lambda x: (x.shape, x.dtype, x.weak_type), tree)


def _shapes_of_step(game):
    state = jax.eval_shape(game.reset, jax.random.key(0))
    action = jax.ShapeDtypeStruct((), jnp.int32)
    return state, *jax.eval_shape(game.step, jax.random.key(0), state, action)


@pytest.mark.parametrize("name", games.GAMES)
def test_name_equals_the_key_in_the_table(name):
    game = games.make(name)
    assert game.name == name
    assert isinstance(game.version, int)
    assert game.version >= 1


def test_step_and_reset_return_states_of_the_same_structure(game):
    state, state_t, _ = _shapes_of_step(game)
    assert _signature(state_t) == _signature(state)
    assert not any(leaf.weak_type for leaf in jax.tree.leaves(state))


def _observation(game):
    """Returns shape, dtype and weak type of an observation: pictures may be bytes or flags."""
    dtype = jax.eval_shape(game.observe, jax.eval_shape(game.reset, jax.random.key(0))).dtype
    assert dtype == jnp.float32 or (dtype in (jnp.uint8, jnp.bool) and len(game.observation_shape) == 3)
    return game.observation_shape, dtype, False


def test_time_step_has_the_declared_shapes_and_dtypes(game):
    _, _, time_step = _shapes_of_step(game)
    declared = (
        _observation(game),
        ((), jnp.float32, False),
        ((), jnp.bool, False),
        ((), jnp.bool, False),
    )
    assert tuple(_signature(time_step)) == declared


def test_observe_equals_the_observation_of_step(game):
    key = jax.random.key(1)
    state, time_step = jax.jit(game.step)(key, jax.jit(game.reset)(key), jnp.int32(0))
    observation = jax.jit(game.observe)(state)
    assert _signature(jax.eval_shape(game.observe, state)) == _observation(game)
    _assert_same(observation, time_step.observation, rtol=1e-6, atol=1e-6)


def test_step_compiles_once(game):
    traces = []

    @jax.jit
    def step(key, state, action):
        traces.append(1)
        return game.step(key, state, action)

    state = jax.jit(game.reset)(jax.random.key(2))
    for i in range(2 * game.num_actions):
        state, _ = step(jax.random.key(i), state, jnp.int32(i % game.num_actions))
    assert len(traces) == 1


def test_jit_equals_no_jit(game):
    key, action = jax.random.key(3), jnp.int32(game.num_actions - 1)
    state = game.reset(key)
    _assert_same(jax.jit(game.reset)(key), state, rtol=1e-6, atol=1e-7)
    _assert_same(jax.jit(game.step)(key, state, action), game.step(key, state, action), rtol=1e-5, atol=1e-6)


def test_vmap_equals_a_python_loop(game):
    keys = jax.random.split(jax.random.key(4), 3)
    actions = jnp.arange(3, dtype=jnp.int32) % game.num_actions
    reset, step = jax.jit(game.reset), jax.jit(game.step)
    alone = [step(key, reset(key), action) for key, action in zip(keys, actions, strict=True)]
    together = jax.jit(jax.vmap(lambda key, action: game.step(key, game.reset(key), action)))(keys, actions)
    _assert_same(jax.tree.map(np.asarray, together), jax.tree.map(lambda *x: np.stack(x), *alone), rtol=1e-5, atol=1e-6)


def test_equal_keys_give_equal_starts_and_random_starts_differ(game):
    starts = _starts(game)
    _assert_same(starts, _starts(game), rtol=0)
    differ = any((leaf != leaf[:1]).any() for leaf in jax.tree.leaves(starts))
    assert differ != (game.name in ONE_START | {"random_walk_5", *DEEP_SEAS})


def test_random_play_ends_within_max_steps(game):
    if game.name.startswith("minatar_"):
        game = games.GAMES[game.name].make(max_steps=100)
    random = np.random.RandomState(0)
    actions = random.randint(game.num_actions, size=(game.max_steps, NUM_ENVIRONMENTS))
    uniform = random.rand(*actions.shape, game.num_actions).astype(np.float32)

    def step(state, inputs):
        action, uniform = inputs
        legal = action_masks.legal_actions(game, state)
        if legal is not None:
            action = action_masks.legal_or_random(action, legal, uniform)
        state, time_step = jax.vmap(game.step, in_axes=(None, 0, 0))(jax.random.key(0), state, action)
        return state, (time_step, legal)

    inputs = jnp.int32(actions), jnp.asarray(uniform)
    _, (time_step, legal) = jax.jit(lambda state: jax.lax.scan(step, state, inputs))(_starts(game))
    ended = time_step.terminated | time_step.truncated  # [max_steps, NUM_ENVIRONMENTS]
    assert ended.any(axis=0).all()
    assert not time_step.truncated[:-1].any()
    assert np.isfinite(time_step.observation).all()
    if legal is not None:
        assert (legal.shape, legal.dtype) == (uniform.shape, bool)
        before_the_end = ~np.pad(ended.cumsum(axis=0) > 0, ((1, 0), (0, 0)))[:-1]
        assert legal.any(axis=-1)[before_the_end].all()
        assert not legal[before_the_end].all()


@pytest.mark.parametrize("name", [*LIMITED, "cartpole_200", "probe_time_limit"])
def test_time_limit_alone_does_not_terminate(name):
    game = games.make(name)
    state = game.reset(jax.random.key(7))
    step = jax.jit(game.step)
    before = step(jax.random.key(8), state._replace(time=jnp.int32(game.max_steps - 2)), jnp.int32(0))[1]
    last = step(jax.random.key(8), state._replace(time=jnp.int32(game.max_steps - 1)), jnp.int32(0))[1]
    assert (bool(before.terminated), bool(before.truncated)) == (False, False)
    assert (bool(last.terminated), bool(last.truncated)) == (False, True)


def test_error_for_an_unknown_name_has_the_closest_name_and_the_command_that_lists_all():
    with pytest.raises(ValueError, match=r"no game is called 'cartpol'. Did you mean 'cartpole'") as error:
        games.make("cartpol")
    assert "`jaxdqn list games` lists the games" in str(error.value)


@pytest.mark.parametrize("name", LIMITED)
def test_time_limit_below_one_raises_an_error(name):

    with pytest.raises(ValueError, match=f"{name} needs max_steps >= 1, got 0"):
        games.GAMES[name].make(max_steps=0)


def test_import_starts_no_backend():
    program = "import jaxdqn.games.exact_values; from jax._src import xla_bridge; print(len(xla_bridge._backends))"
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output.strip() == "0"
