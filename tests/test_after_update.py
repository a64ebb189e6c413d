"""Changes of what is learned: which numbers change, which keep their bits, and when."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxdqn import after_update, config_fields, games, learner, optimizers, target_network
from jaxdqn.after_update import Reset, ShrinkAndPerturb
from jaxdqn.config_fields import configuration
from jaxdqn.training import check_config
from jaxdqn.training.evaluate import Evaluation
from tests.helpers.runs import SMALL, advancing, plain, start

pytestmark = pytest.mark.usefixtures("unoptimised")

KEY = jax.random.key(5)


@configuration
class PerTree:
    """An optimizer of a user, whose state is not one vector: masked, with two rates."""

    def make(self, learning_rate):
        def label(path, _):
            return "slow" if "Dense_0" in str(path) else "fast"

        rates = {"slow": optax.adam(learning_rate / 2), "fast": optax.adam(learning_rate)}
        return optax.multi_transform(rates, lambda tree: jax.tree_util.tree_map_with_path(label, tree))


def learned(change, optimizer):
    """Returns the learner with this change, and a state in which no number is as at the start."""
    config = dataclasses.replace(SMALL, after_update=change, optimizer=optimizer)
    learning = learner.make(config_fields.to_arrays(config), games.make("catch"))
    state = learning.init(jax.random.key(0))
    return learning, jax.tree.map(lambda x: x + jnp.ones_like(x), state)


def by_path(tree):
    return {jax.tree_util.keystr(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(plain(tree))}


@pytest.mark.parametrize("optimizer", [optimizers.Adam(), PerTree()])
def test_a_reset_draws_the_named_layers_anew_and_leaves_all_other_bits(optimizer):
    learning, state = learned(Reset(layers=("Dense_1",)), optimizer)
    after, fresh = learning.after_update(KEY, state, jnp.int32(7)), learning.init(KEY)
    size = sum(leaf.size for leaf in jax.tree.leaves(state.parameters["params"]["Dense_0"]))
    old, new, drawn = by_path(state), by_path(after), by_path(fresh)
    assert any("Dense_1" in path for path in old)
    for path, leaf in new.items():
        if leaf.ndim == 1 and "optimizer" in path and "Dense" not in path:  # one vector of all parameters
            np.testing.assert_array_equal(leaf[:size], old[path][:size])
            np.testing.assert_array_equal(leaf[size:], drawn[path][size:])
        else:
            np.testing.assert_array_equal(leaf, (drawn if "Dense_1" in path else old)[path], err_msg=path)


def test_shrink_and_perturb_moves_towards_fresh_numbers_and_restarts_the_optimizer():
    learning, state = learned(ShrinkAndPerturb(layers=(), shrink=0.5, perturb=3.0), optimizers.Adam())
    after, fresh = learning.after_update(KEY, state, jnp.int32(7)), learning.init(KEY)
    for of in ("parameters", "target_parameters"):
        moved = jax.tree.map(lambda old, new: 0.5 * old + 3.0 * new, getattr(state, of), getattr(fresh, of))
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), getattr(after, of), moved)
    moments = [leaf for leaf in jax.tree.leaves(after.optimizer_state) if leaf.ndim]
    assert len(moments) == 2
    assert not any(np.any(leaf) for leaf in moments)
    assert after.num_updates == state.num_updates


def test_all_copies_of_a_target_network_are_reset():
    config = dataclasses.replace(
        SMALL, after_update=Reset(layers=()), target_update=target_network.LastCopies(num_copies=3)
    )
    learning = learner.make(config_fields.to_arrays(config), games.make("catch"))
    after = learning.after_update(KEY, learning.init(jax.random.key(0)), jnp.int32(0))
    jax.tree.map(np.testing.assert_array_equal, after.target_parameters, learning.init(KEY).target_parameters)


@configuration
class Counter:
    """A change of a user: counts its calls in the target network, and adds the step of each."""

    version: ClassVar[int] = 1
    every: int = config_fields.static(4)

    def make(self, init, restart):
        del init, restart

        def apply(key, state, steps):
            bits = jax.random.bits(key).astype(jnp.float32)
            seen = jnp.stack([jnp.float32(1.0), steps.astype(jnp.float32), bits])
            return state._replace(optimizer_state=(state.optimizer_state[0], state.optimizer_state[1] + seen))

        return apply


@configuration
class Descent:
    """Gradient descent whose state has room for the counter of a test."""

    def make(self, learning_rate):
        return optax.GradientTransformation(
            lambda parameters: (jnp.zeros(()), jnp.zeros(3)),
            lambda gradient, state, parameters: (jax.tree.map(lambda g: -learning_rate * g, gradient), state),
        )


def counts(steps, *, every=4, period=40, **settings):
    """Returns number, sum of steps and sum of bits of the changes of a run; episodes of catch have nine steps."""
    config = dataclasses.replace(
        SMALL, optimizer=Descent(), after_update=Counter(every), train_every=4, learning_starts=16, **settings
    )
    game, evaluation = games.make("catch"), Evaluation(every=period, episodes=1)
    check_config.check(config, game, evaluation, steps)
    config, state = start(game, config)
    advance = advancing(game, evaluation)
    for _ in range(steps // period):
        state, _ = advance(config, state)
    return np.asarray(state.learner.optimizer_state[1]), int(state.learner.num_updates)


def test_changes_come_after_every_so_many_updates_at_their_steps_whatever_the_evaluation_period():
    found, num_updates = counts(240)
    # From step 20 on, an update every 4 steps: the fourth is at step 32, and then one change every 16 steps.
    expected = np.arange(32, 241, 16)
    assert num_updates == (240 - 16) // 4
    np.testing.assert_array_equal(found[:2], [len(expected), expected.sum()])
    np.testing.assert_array_equal(counts(240, period=120)[0], found)


def test_changes_count_updates_also_where_episodes_decide_when_to_learn():
    found, num_updates = counts(240, train_at="episode_end", every=2)
    assert 4 < num_updates < 40
    assert found[0] == num_updates // 2


def test_a_period_that_is_no_multiple_of_a_training_and_an_unknown_layer_are_refused():
    game, evaluation = games.make("catch"), Evaluation(every=40, episodes=1)

    def check(**settings):
        config = dataclasses.replace(SMALL, **settings)
        config_fields.check(config)
        check_config.check(config, game, evaluation, 400)

    with pytest.raises(ValueError, match=r"every = 9 must be a multiple of num_updates \* .* = 4, such as 8 or 12"):
        check(num_updates=2, num_minibatches=2, after_update=Reset(every=9, layers=()))
    with pytest.raises(ValueError, match=r"no layer 'Dense_3'\. Did you mean 'Dense_"):
        check(after_update=Reset(layers=("Dense_3",)))
    with pytest.raises(ValueError, match=r"after_update.layers = \(1,\) must be a tuple of texts"):
        check(after_update=Reset(layers=(1,)))
    with pytest.raises(ValueError, match="after_update = Descent has no every"):
        check(after_update=Descent())


@pytest.mark.parametrize(
    ("layers", "expected"),
    [((), [True, True, True]), (("b",), [False, True, False]), (("a/b", "c"), [False, True, True])],
)
def test_layers_are_chosen_by_whole_names_in_their_paths(layers, expected):
    tree = {"a": {"a0": {"x": 0}, "b": {"x": 0}}, "c": {"x": 0}}
    assert jax.tree.leaves(after_update.chosen_by(layers, tree)) == expected
