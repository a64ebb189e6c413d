"""A fixture for tests of what surrounds training: programs are traced and not compiled."""

import jax
import numpy as np
import pytest

from jaxdqn import config_fields
from jaxdqn.training import loop, program


@pytest.fixture
def untrained(monkeypatch):
    """Within the test, runs on games in JAX have random weights, episodes and curves, of the right names and shapes.

    Their programs are traced as if they were to be compiled, so a configuration that cannot be trained is an error.
    """
    monkeypatch.setattr(program, "_compile", _traced)


def _traced(config, game, evaluation, layout, num_logged):
    """Returns init, advance and a state as `program._compile` does."""

    def init(config_and_seed):
        config, seed = config_and_seed
        return program._without_step(loop.init(config, jax.random.key(seed), game=game, num_logged=num_logged))

    def advance(config_and_state):
        config, state = config_and_state
        return loop.advance(config, state._replace(step=np.int32(0)), game=game, evaluation=evaluation)[1]

    def over_members(function, *arguments):
        return jax.eval_shape(lambda *stacked: jax.lax.map(function, stacked), *arguments)

    configs, seeds = config_fields.stack([config] * layout.width), np.zeros(layout.width, np.uint32)
    shapes = over_members(init, configs, seeds)
    point = over_members(advance, configs, shapes)
    state = jax.tree.map(lambda leaf: _random(np.random.default_rng(leaf.size), leaf), shapes)
    state = state._replace(diverged_at=np.full(layout.width, -1, np.int32))
    if num_logged:
        state = state._replace(
            log=state.log._replace(end_step=np.tile(np.arange(1, 1 + num_logged), (layout.width, 1)))
        )
    state = jax.device_put(state)

    def next_point(configs, state, step):
        generator = np.random.default_rng(step)
        curves = {name: _random(generator, leaf) for name, leaf in point.items()}
        return state, curves | {"steps": np.full(layout.width, step + evaluation.every, np.int32)}

    return lambda configs, seeds: state, next_point, state


def _random(generator, leaf):
    """Returns an array like a leaf: numbers between 0 and 1, whole numbers of 1 to 9, or keys that are all the same."""
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(np.zeros((*leaf.shape, 2), np.uint32))
    if np.issubdtype(leaf.dtype, np.floating):
        return generator.random(leaf.shape, leaf.dtype)
    return generator.integers(1, 10, leaf.shape).astype(leaf.dtype)
