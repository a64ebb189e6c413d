"""A fixture for modules of tests that run the same study again and again: each program is traced and compiled once."""

import jax
import pytest

from jaxdqn.training import program


@pytest.fixture(scope="module")
def compiled_once():
    """Within the module, `program.make` returns the compiled program of an equal group of runs on a game in JAX.

    A module whose tests replace what is compiled must not use it.
    """
    known, make = {}, program._compile

    def remembered(config, game, evaluation, layout, num_logged):
        shapes = [jax.numpy.shape(leaf) for leaf in jax.tree.leaves(config)]
        key = (jax.tree.structure(config), *shapes, game.name, game.version, evaluation, layout, num_logged)
        if key not in known:
            known[key] = make(config, game, evaluation, layout, num_logged)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(program, "_compile", remembered)
        yield
