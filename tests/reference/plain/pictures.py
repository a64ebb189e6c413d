"""Convolution and maximum pooling of one picture `[rows, columns, channels]`, patch by patch."""

import autograd.numpy as np


def pad_of(length, size, stride, padding):
    """Returns the cells added before and after one axis; "SAME" makes `ceil(length / stride)` patches."""
    if padding == "VALID":
        return 0, 0
    total = max((-(-length // stride) - 1) * stride + size - length, 0)
    return total // 2, total - total // 2


def patches(x, size, stride, padding, outside):
    """Returns the patches of a picture, a list of rows, each a list of `[size, size, channels]`."""
    rows, columns = (pad_of(length, size, stride, padding) for length in x.shape[:2])
    x = np.pad(x, (rows, columns, (0, 0)), mode="constant", constant_values=outside)
    tops, lefts = (range(0, length - size + 1, stride) for length in x.shape[:2])
    return [[x[top : top + size, left : left + size] for left in lefts] for top in tops]


def convolve(x, kernel, stride, padding):
    """Returns `[rows, columns, features]`, the sum over patch and channels of `x kernel[.., .., .., feature]`."""
    found = patches(x, kernel.shape[0], stride, padding, 0.0)
    return np.array([[np.tensordot(patch, kernel, 3) for patch in row] for row in found])


def max_pool(x, size, stride, padding):
    """Returns the largest number of each patch, channel by channel; there is nothing outside of the picture."""
    found = patches(x, size, stride, padding, -1e30)
    return np.array([[np.max(np.max(patch, axis=0), axis=0) for patch in row] for row in found])
