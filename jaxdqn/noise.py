"""Random numbers of networks: from a key where they are needed, or drawn ahead for many passes in one call.

A loss takes a key and splits it into one for each pass through a network; `Network.apply` draws its noise from that
key. Inside the training loop such a draw costs as much as a small update, since the random bits of each pass are
computed by many small kernels: measured on a CPU core, updates of noisy DQN take 1.7 times as long. So the training
loop draws the noise of a chunk of iterations in one call, and passes the noise of a pass in the place of its key. The
numbers are the same, bit for bit.
"""

from collections.abc import Callable
from typing import Any

import jax

from jaxdqn.interfaces import Key, Network


def split(key: Any, passes: int) -> tuple[Any, ...]:
    """Returns one key for each pass of a loss; noise that was drawn `ahead` for as many passes is returned as it is.

    Args:
      key: a typed key, consumed; or what `ahead` returned.
      passes: their number.

    Raises:
      ValueError: the noise is that of another number of passes.
    """
    if is_key(key):
        return tuple(jax.random.split(key, passes))
    if len(key) != passes:
        raise ValueError(
            f"noise of {len(key)} passes was drawn ahead, and the loss makes {passes}: see Requires.passes."
        )
    return tuple(key)


def ahead(network: Network, key: Key, passes: int | None) -> Any:
    """Returns the noise of each pass of one loss, a tuple; the key itself if `passes` is None.

    Args:
      network: whose noise it is.
      key: consumed.
      passes: `Requires.passes` of the algorithm.
    """
    if passes is None:
        return key
    drawn = jax.vmap(network.noise)(jax.random.split(key, passes))
    # An array for each pass: XLA fuses a slice of a larger array into the products that read it, which makes them slow.
    return tuple(jax.tree.map(lambda x, i=i: x[i], drawn) for i in range(passes))


def of_pass(key: Any, draw: Callable[[Key], Any]) -> Any:
    """Returns the noise of one pass: `draw(key)` of a typed key; noise drawn ahead, or None, as it is."""
    return draw(key) if is_key(key) else key


def is_key(value: Any) -> bool:
    """Returns whether the value is a typed key."""
    return hasattr(value, "dtype") and bool(jax.dtypes.issubdtype(value.dtype, jax.dtypes.prng_key))
