"""Changes of what is learned, every so many gradient steps: layers that are reset, or shrunk and perturbed.

A part has a period `every` and `make`, which returns `(key, LearnerState, steps) -> LearnerState`. Both training loops
call that function after the last update of a training, before the next action (`training.sample_and_learn`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax

from jaxdqn.config_fields import configuration, number, static
from jaxdqn.interfaces import Array, Key, LearnerState, Parameters
from jaxdqn.spelling import did_you_mean

Init = Callable[[Key], LearnerState]
Restart = Callable[[Any, Any, Parameters], Any]


@configuration
class Reset:
    """Draws chosen layers anew, as at the start of a run; all other numbers stay as they are.

    Source: Nikishin et al. (2022), "The Primacy Bias in Deep Reinforcement Learning", section 4. Online network, target
    network and the optimizer's state of these layers begin anew; the replay memory stays.

    Attributes:
      every: gradient steps between resets; a multiple of those of one training.
      layers: names of layers, or of parts of the network: each selects the parameters whose path contains it, such as
        `Dense_2`, `last` or `params/first/Dense_0`. No name selects all.
    """

    every: int = static(20_000, at_least=1)
    layers: tuple[str, ...] = static(("Dense_2",))

    def make(self, init: Init, restart: Restart) -> Callable[[Key, LearnerState, Array], LearnerState]:
        """Returns `(key, state, steps) -> state` with the layers as `init(key)` has them.

        Args:
          init: as of `protocols.AfterUpdate.make`.
          restart: likewise.

        Raises:
          ValueError: the network has no layer of a name.
        """
        return _changed(init, restart, self.layers, lambda old, fresh: fresh)


@configuration
class ShrinkAndPerturb:
    """Moves chosen layers towards freshly drawn ones: `shrink · old + perturb · fresh`.

    Source: Ash and Adams (2020), "On Warm-Starting Neural Network Training", section 4; D'Oro et al. (2023) use it
    every so many updates. The optimizer's state of these layers begins anew.

    Attributes:
      every: gradient steps between two of these changes; a multiple of those of one training.
      layers: as of `Reset`; no name selects all.
      shrink: factor on the present parameters, of online and target network.
      perturb: factor on the fresh ones.
    """

    every: int = static(20_000, at_least=1)
    layers: tuple[str, ...] = static(("Dense_0",))
    shrink: float = number(0.8, at_least=0, at_most=1)
    perturb: float = number(0.2, at_least=0)

    def make(self, init: Init, restart: Restart) -> Callable[[Key, LearnerState, Array], LearnerState]:
        """Returns `(key, state, steps) -> state` with the layers moved. Arguments and errors are those of `Reset`."""
        return _changed(init, restart, self.layers, lambda old, fresh: self.shrink * old + self.perturb * fresh)


def _changed(
    init: Init, restart: Restart, layers: Sequence[str], change: Callable[[Array, Array], Array]
) -> Callable[[Key, LearnerState, Array], LearnerState]:
    """Returns the function that replaces chosen parameters by `change(old, fresh)`, and restarts their optimizer."""
    chosen = chosen_by(layers, jax.eval_shape(init, jax.random.key(0)).parameters)

    def apply(key: Key, state: LearnerState, steps: Array) -> LearnerState:
        del steps
        fresh = init(key)

        def replaced(old: Parameters, new: Parameters) -> Parameters:
            return jax.tree.map(lambda is_chosen, old, new: change(old, new) if is_chosen else old, chosen, old, new)

        return state._replace(
            parameters=replaced(state.parameters, fresh.parameters),
            target_parameters=replaced(state.target_parameters, fresh.target_parameters),
            optimizer_state=restart(state.optimizer_state, fresh.optimizer_state, chosen),
        )

    return apply


def chosen_by(layers: Sequence[str], parameters: Parameters) -> Parameters:
    """Returns a pytree of True and False like the parameters: whether the path of each contains one of the names.

    Args:
      layers: such as `Dense_0` or `params/last`; no name selects all.
      parameters: or their shapes.

    Raises:
      ValueError: a name selects nothing; the message has the closest names.
    """
    paths = ["/".join(str(key.key) for key in path) for path, _ in jax.tree_util.tree_leaves_with_path(parameters)]
    for name in layers:
        if not any(_contains(path, name) for path in paths):
            known = list(dict.fromkeys(word for path in paths for word in path.split("/")[:-1]))
            hint = did_you_mean(name, known) or f" Names: {', '.join(known)}."
            raise ValueError(f"after_update.layers: the network has no layer {name!r}.{hint}")
    flags = [not layers or any(_contains(path, name) for name in layers) for path in paths]
    return jax.tree.unflatten(jax.tree.structure(parameters), flags)


def _contains(path: str, name: str) -> bool:
    return f"/{name}/" in f"/{path}/"
