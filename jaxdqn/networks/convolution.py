"""Convolution and maximum pooling of pictures, as slices and matrix products.

XLA's own convolution is 6 times slower on a CPU where it stands inside a loop (jax-ml/jax#12868), and every update here
stands in one. The products have two more uses on accelerators, so they are used on every device. Under `vmap`, as when
runs train side by side, XLA's convolution becomes a grouped one, and a product a batched product. XLA does not order
the sums of a convolution's gradients on a GPU, so that a run would not repeat bit for bit.

A stride is taken out first: the cells of a square of `stride x stride` become the channels of one cell. Pictures with
many channels are then multiplied once for each place in the kernel, and the products added. Those with few channels
would make narrow products: their patches are laid side by side for one product, which takes `size²` times their memory.
"""

import functools
from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxdqn.interfaces import Array

_MANY_CHANNELS = 16  # from which a product for each place is faster than one product of patches


class Convolution(nn.Module):
    """A convolutional layer with square kernels and a bias that starts at zero.

    Attributes:
      features: number of kernels, the channels of the output.
      size: height and width of the kernels.
      stride: cells between two patches.
      padding: "VALID" or "SAME", as in `convolve`.
      initializer: `(key, shape) -> kernel [size, size, channels, features]`.
    """

    features: int
    size: int
    stride: int
    padding: str
    initializer: Callable[..., Array]

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.param("kernel", self.initializer, (self.size, self.size, x.shape[-1], self.features))
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        x = convolve(x, kernel, self.stride, self.padding)
        return x + jnp.broadcast_to(bias, x.shape)


def convolve(x: Array, kernel: Array, stride: int = 1, padding: str = "VALID") -> Array:
    """Returns the convolution of pictures with kernels, as neural networks define it: kernels are not turned around.

        y[i, j, o] = Σ_{a, b, c} x[i · stride + a, j · stride + b, c] · kernel[a, b, c, o]

    Equals `jax.lax.conv_general_dilated` up to rounding.

    Args:
      x: float32 `[..., height, width, channels]`; all axes before the height are batch axes.
      kernel: float32 `[kernel height, kernel width, channels, features]`.
      stride: cells between two patches, along both axes.
      padding: "VALID" takes only patches that lie in the picture. "SAME" adds zeros around it, so that the output has
        `⌈height / stride⌉` rows and `⌈width / stride⌉` columns.

    Returns:
      float32 `[..., rows, columns, features]`; gradients flow to `x` and `kernel`.
    """
    height, width, channels, features = kernel.shape
    x = _padded(x, (height, width), stride, padding, 0.0)
    if height % stride == width % stride == 0:
        x, kernel, stride = _squares(x, stride), _kernel_of_squares(kernel, stride), 1
        height, width, channels, features = kernel.shape
    if channels >= _MANY_CHANNELS:
        rows = _slices(x, -3, height, stride)
        places = [place for row in rows for place in _slices(row, -2, width, stride)]
        products = map(jnp.matmul, places, kernel.reshape(-1, channels, features))
        return functools.reduce(jnp.add, products)
    # Along one axis after the other: height + width slices are fewer, and longer, than height · width.
    for axis, size in ((-2, width), (-3, height)):
        x = jnp.concatenate(_slices(x, axis, size, stride), axis=-1)
    return x @ kernel.reshape(-1, features)


def max_pool(x: Array, size: int, stride: int, padding: str = "VALID") -> Array:
    """Returns the largest value of each patch of pictures, for each channel by itself.

    Args:
      x: float32 `[..., height, width, channels]`; all axes before the height are batch axes.
      size: height and width of a patch.
      stride: cells between two patches, along both axes.
      padding: as in `convolve`; cells outside of the picture are never the largest.

    Returns:
      float32 `[..., rows, columns, channels]`; where values of a patch are equal, they share the gradient.
    """
    # With its gradient, this takes a fraction of the time of `jax.lax.reduce_window` on a CPU.
    x = _padded(x, (size, size), stride, padding, -jnp.inf)
    for axis in (-2, -3):
        x = functools.reduce(jnp.maximum, _slices(x, axis, size, stride))
    return x


def _squares(x: Array, size: int) -> Array:
    """Returns pictures `[..., height / size, width / size, size² · channels]`; cells left at the end are cut off."""
    *batch, height, width, channels = x.shape
    rows, columns = height // size, width // size
    x = x[..., : rows * size, : columns * size, :].reshape(*batch, rows, size, columns, size, channels)
    return jnp.swapaxes(x, -4, -3).reshape(*batch, rows, columns, size**2 * channels)


def _kernel_of_squares(kernel: Array, size: int) -> Array:
    """Returns the kernel for `_squares`, `[height / size, width / size, size² · channels, features]`."""
    height, width, channels, features = kernel.shape
    kernel = kernel.reshape(height // size, size, width // size, size, channels, features)
    return jnp.swapaxes(kernel, 1, 2).reshape(height // size, width // size, -1, features)


def _padded(x: Array, window: tuple[int, int], stride: int, padding: str, value: float) -> Array:
    """Returns pictures with cells of this value around them."""
    around = jax.lax.padtype_to_pads(x.shape[-3:-1], window, (stride, stride), padding)
    return jnp.pad(x, [(0, 0)] * (x.ndim - 3) + [*around, (0, 0)], constant_values=value)


def _slices(x: Array, axis: int, size: int, stride: int) -> list[Array]:
    """Returns for each place in a patch the cells at that place of all patches, along one axis."""
    last = x.shape[axis] - size
    return [jax.lax.slice_in_dim(x, start, start + last + 1, stride, axis) for start in range(size)]
