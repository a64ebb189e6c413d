"""The plain optimizers against numbers worked out by hand."""

import math

import numpy as np

from tests.reference.plain import optimizers


def test_first_steps_of_the_optimizers_by_hand():
    gradient = {"w": np.array([3.0, -4.0])}
    parameters = {"w": np.zeros(2)}
    np.testing.assert_allclose(optimizers.norm(gradient), 5.0)
    np.testing.assert_allclose(optimizers.clip(1.0, gradient)["w"], [0.6, -0.8])
    np.testing.assert_allclose(optimizers.clip(9.0, gradient)["w"], [3.0, -4.0])
    np.testing.assert_allclose(optimizers.clip(None, gradient)["w"], [3.0, -4.0])

    def first(settings):
        return optimizers.update(settings, gradient, optimizers.init(settings, parameters), 0.1)[0]["w"]

    numbers = {"b1": 0.9, "b2": 0.999, "eps": 1.0}
    np.testing.assert_allclose(first({"type": "SGD"}), [-0.3, 0.4])
    np.testing.assert_allclose(first({"type": "Adam", **numbers}), [-0.1 * 3 / 4, 0.1 * 4 / 5])
    np.testing.assert_allclose(first({"type": "RAdam", **numbers}), [-0.3, 0.4])
    rmsprop = {"type": "RMSProp", "decay": 0.75, "eps": 0.0, "centred": False}
    np.testing.assert_allclose(first(rmsprop), [-0.2, 0.2])
    centred = {**rmsprop, "centred": True}  # 9/4 - 9/16 = 27/16
    np.testing.assert_allclose(first(centred), [-0.1 * 4 / math.sqrt(3), 0.1 * 4 / math.sqrt(3)])


def test_second_step_of_adam_by_hand():
    settings = {"type": "Adam", "b1": 0.5, "b2": 0.75, "eps": 0.0}
    state = optimizers.init(settings, {"w": np.zeros(1)})
    _, state = optimizers.update(settings, {"w": np.array([2.0])}, state, 0.1)
    changes, _ = optimizers.update(settings, {"w": np.array([-4.0])}, state, 0.1)
    mean = (0.5 * 1.0 + 0.5 * -4.0) / 0.75
    square = (0.75 * 1.0 + 0.25 * 16.0) / (1 - 0.75**2)
    np.testing.assert_allclose(changes["w"], [-0.1 * mean / math.sqrt(square)])


def test_the_rectification_begins_at_the_sixth_step_and_tends_to_one():
    assert [optimizers.rectification(t, 0.999) is None for t in range(1, 8)] == [True] * 5 + [False] * 2
    # rho is the length of a plain mean with the same centre; the variance goes as rho / ((rho - 2) (rho - 4))
    weights = [0.001 * 0.999 ** (i - 1) for i in range(1, 7)]
    centre = sum(w * (7 - i) for i, w in enumerate(weights, 1)) / sum(weights)
    rho = 2 * 6 + 1 - 2 * centre
    variances = [length / ((length - 2) * (length - 4)) for length in (1999.0, rho)]
    np.testing.assert_allclose(optimizers.rectification(6, 0.999) ** 2, variances[0] / variances[1], rtol=1e-8)
    assert abs(optimizers.rectification(100_000, 0.999) - 1.0) < 1e-3
