"""Random bits as whole numbers, for memories that are given their randomness."""

import jax.numpy as jnp

from jaxdqn.interfaces import Array


def below(total: Array, random_bits: Array) -> Array:
    """Returns int32 `[B]` in [0, total); the modulus favours none by more than 2^-32 * total."""
    return (random_bits % total.astype(jnp.uint32)).astype(jnp.int32)


def mixed(bits: Array) -> Array:
    """Returns other uniform bits, uint32 (Appleby 2011, MurmurHash3, its finalizer, after a Weyl step)."""
    bits = bits + jnp.uint32(0x9E3779B9)
    bits = (bits ^ (bits >> 16)) * jnp.uint32(0x85EBCA6B)
    bits = (bits ^ (bits >> 13)) * jnp.uint32(0xC2B2AE35)
    return bits ^ (bits >> 16)
