"""Conversion of random bits to integers, for memories that receive their random bits as an argument."""

import jax.numpy as jnp

from jaxdqn.interfaces import Array


def below(total: Array, random_bits: Array) -> Array:
    """Returns int32 `[B]` in [0, total); the modulo changes no probability by more than 2^-32."""
    return (random_bits % total.astype(jnp.uint32)).astype(jnp.int32)


def mixed(bits: Array) -> Array:
    """Returns new uniform bits, uint32 (a Weyl step, then the finalizer of Appleby 2011, MurmurHash3)."""
    bits = bits + jnp.uint32(0x9E3779B9)
    bits = (bits ^ (bits >> 16)) * jnp.uint32(0x85EBCA6B)
    bits = (bits ^ (bits >> 13)) * jnp.uint32(0xC2B2AE35)
    return bits ^ (bits >> 16)
