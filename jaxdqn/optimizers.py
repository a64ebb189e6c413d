"""Optimizers from optax, as configurations that make a gradient transformation.

The learning rate is an argument, since every algorithm has one and studies vary it most.
Every number is traced: a grid over learning rates or epsilons shares one compiled program.
"""

import optax

from jaxdqn.configuration import configuration, number, static


@configuration
class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1). Published agents for Atari use a larger `eps`, such as 1.5e-4."""

    b1: float = number(0.9, at_least=0, below=1)
    b2: float = number(0.999, at_least=0, below=1)
    eps: float = number(1e-8, above=0)

    def make(self, learning_rate: float) -> optax.GradientTransformation:
        """Returns the transformation from gradients to parameter changes."""
        return optax.adam(learning_rate, b1=self.b1, b2=self.b2, eps=self.eps)


@configuration
class RAdam:
    """Rectified Adam (Liu et al. 2020, algorithm 2): Adam whose first steps are plain momentum and then short, while
    the mean of squared gradients is not known well. It is divided by from `ρ ≥ 5` on, as in the authors' code (the
    paper: above 4).
    """

    b1: float = number(0.9, at_least=0, below=1)
    b2: float = number(0.999, at_least=0, below=1)
    eps: float = number(1e-8, above=0)

    def make(self, learning_rate: float) -> optax.GradientTransformation:
        """Returns the transformation from gradients to parameter changes."""
        return optax.radam(learning_rate, b1=self.b1, b2=self.b2, eps=self.eps)


@configuration
class RMSProp:
    """RMSProp (Tieleman and Hinton 2012), with `eps` inside the square root.

    Attributes:
      decay: of the running mean of squared gradients.
      eps: added to that mean before the root.
      centred: subtract the square of the running mean gradient, as in Graves (2013), section 4.2, and Nature DQN.
    """

    decay: float = number(0.9, at_least=0, below=1)
    eps: float = number(1e-8, above=0)
    centred: bool = static(False)

    def make(self, learning_rate: float) -> optax.GradientTransformation:
        """Returns the transformation from gradients to parameter changes."""
        return optax.rmsprop(learning_rate, decay=self.decay, eps=self.eps, eps_in_sqrt=True, centered=self.centred)


@configuration
class SGD:
    """Plain stochastic gradient descent."""

    def make(self, learning_rate: float) -> optax.GradientTransformation:
        """Returns the transformation from gradients to parameter changes."""
        return optax.sgd(learning_rate)


def with_clipping(
    transformation: optax.GradientTransformation, max_gradient_norm: float | None
) -> optax.GradientTransformation:
    """Returns the transformation behind a clip of the gradient's *norm* over all parameters; None clips nothing.

    All parameters are one vector to it: a small network has many arrays, and each costs more than the numbers in it.
    """
    if max_gradient_norm is not None:
        transformation = optax.chain(optax.clip_by_global_norm(max_gradient_norm), transformation)
    return optax.flatten(transformation)
