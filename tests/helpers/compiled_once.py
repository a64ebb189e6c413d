"""A fixture for modules of tests that run the same study again and again: each program is traced and compiled once."""

import jax
import pytest

from jaxdqn.training import device_layout, program


@pytest.fixture(scope="module")
def compiled_once():
    """Within the module, an equal group of runs on a game in JAX has one compiled program, and its size is known.

    A module whose tests replace what is compiled must not use it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "_compile", _remembering(program._compile))
        patch.setattr(device_layout, "size", _remembering(device_layout.size))
        yield


def _remembering(function):
    """Returns the function of a configuration, a game and more, which returns what it has for an equal group."""
    known = {}

    def remembered(config, game, *more):
        shapes = [jax.numpy.shape(leaf) for leaf in jax.tree.leaves(config)]
        key = (jax.tree.structure(config), *shapes, game.name, game.version, *more)
        if key not in known:
            known[key] = function(config, game, *more)
        return known[key]

    return remembered
