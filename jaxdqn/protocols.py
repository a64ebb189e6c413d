"""What configurations of parts must have: protocols for parts of your own.

A part is a frozen dataclass, made with `config_fields.configuration`. It needs no base class.
"""

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from jaxdqn.interfaces import Array, Key, LearnerState, LossOutput, Network, Parameters, Requires, Sample


class Algorithm(Protocol):
    """An algorithm as the rest of the package sees it: a configuration with a version, requirements and a loss.

    Attributes:
      version: raised when the same configuration learns differently.
      requires: of network, replay and target network; `TRANSITIONS` for most.
    """

    version: ClassVar[int]

    @property
    def requires(self) -> Requires: ...

    def loss(
        self, network: Network, parameters: Parameters, target_parameters: Parameters, sample: Sample, key: Key
    ) -> LossOutput:
        """Returns loss, priority and metrics of each example.

        Args:
          network: from observations to action values.
          parameters: the online parameters, which are differentiated.
          target_parameters: of the target network.
          sample: `[B]` examples.
          key: consumed; split into one key for each pass through a network (`Requires.passes`).
        """
        ...


class AfterUpdate(Protocol):
    """A change of what is learned, every so many updates, such as a reset of layers.

    Attributes:
      every: gradient steps from one change to the next; a multiple of those of one training.
    """

    every: int

    def make(
        self, init: Callable[[Key], LearnerState], restart: Callable[[Any, Any, Any], Any]
    ) -> Callable[[Key, LearnerState, Array], LearnerState]:
        """Returns `(key, state, steps) -> state`, which changes the state after an update.

        Args:
          init: `key -> LearnerState`, as at the start of a run.
          restart: `(optimizer_state, fresh, chosen) -> optimizer_state`: the state of the optimizer, with that of
            `fresh` for the parameters that `chosen`, a pytree of True and False like the parameters, names.
        """
        ...
