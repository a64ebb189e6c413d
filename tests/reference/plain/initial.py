"""Checks of a fresh network: what of it is not random, and the bounds of what is."""

import math

import numpy as np

TOLERANCE = 1e-6
TRUNCATED = 0.87962566103423978  # the deviation of a standard normal number that is cut off at 2


def check_within(path, array, bound):
    """Asserts that random numbers lie within a bound, and are neither all equal nor all small."""
    assert np.all(np.abs(array) <= bound * (1 + TOLERANCE)), (path, bound, array)
    assert array.size == 1 or np.ptp(array) > 0, (path, array)
    assert array.size < 8 or np.max(np.abs(array)) > 0.1 * bound, (path, bound, array)


def check_equal(path, array, value):
    """Asserts that every number of an array has this value."""
    assert np.all(np.abs(array - value) <= TOLERANCE * max(abs(value), 1e-30)), (path, value, array)


def bound_of(initializer, inputs, outputs):
    """Returns the largest weight: LeCun et al. (1998) cut off at two deviations, or Glorot and Bengio (2010)."""
    if initializer == "lecun_normal":
        return 2.0 * math.sqrt(1.0 / inputs) / TRUNCATED
    if initializer == "glorot_uniform":
        return math.sqrt(6.0 / (inputs + outputs))
    raise ValueError(f"initializer {initializer!r} is not known")


def check_noisy(path, part, array, inputs, scale):
    """Asserts Fortunato et al. (2018), section 3.2: `U(-1/sqrt(inputs), 1/sqrt(inputs))` and sigma_0 / sqrt(inputs)."""
    if part.endswith("sigma"):
        check_equal(path, array, scale / math.sqrt(inputs))
    else:
        check_within(path, array, 1.0 / math.sqrt(inputs))


def check_layers(settings, parameters):
    """Asserts what is known of the layers of torso and head, and of the cell of a memory."""
    for path, array in parameters.items():
        *_, group, layer, part = ["", *path.split("/")]
        if layer.startswith("NoisyDense"):
            inputs = parameters[path.rsplit("/", 1)[0] + "/kernel"].shape[0]
            check_noisy(path, part, array, inputs, settings["noisy"]["scale"])
        elif part == "scale":
            check_equal(path, array, 1.0)
        elif part == "bias":
            check_equal(path, array, 0.0)
        elif layer == "proposal":  # the gain of the authors of FQF, so that the first intervals are nearly equal
            check_within(path, array, 0.01 * bound_of("glorot_uniform", *array.shape))
        elif group == "cell" and layer[0] == "h":
            assert np.allclose(array.T @ array, np.eye(len(array)), atol=1e-5), (path, array)
        elif layer == "fractions" or group == "cell":
            check_within(path, array, bound_of("lecun_normal", *array.shape))
        else:
            area = math.prod(array.shape[:-2])  # of a convolution's kernel; 1 for a dense layer
            check_within(path, array, bound_of(settings["initializer"], *(area * size for size in array.shape[-2:])))


def check_differ(one, other):
    """Asserts that two networks of one kind have no random weight in common."""
    for path, array in one.items():
        if path.endswith("/kernel"):
            assert np.all(array != other[path]), path


def check_ensemble(settings, parameters):
    """Asserts that members and priors are fresh networks, and no two of them alike."""
    groups = ["members"] if settings["prior_scale"] is None else ["members", "priors"]
    assert {path.split("/")[0] for path in parameters} == set(groups), sorted(parameters)
    networks = []
    for group in groups:
        for k in range(settings["num_members"]):
            own = {p[len(group) + 1 :]: array[k] for p, array in parameters.items() if p.startswith(group + "/")}
            check_layers(settings["member"], own)
            networks.append(own)
    for i, one in enumerate(networks):
        for other in networks[:i]:
            check_differ(one, other)


def check_initial(settings, parameters):
    """Asserts what is known of the parameters of a fresh network."""
    if settings["type"] == "Table":
        assert set(parameters) == {"params/values"}, sorted(parameters)
        assert parameters["params/values"].shape[0] == math.prod(settings["bins"])
        check_equal("params/values", parameters["params/values"], 0.0)
    elif settings["type"] == "Ensemble":
        check_ensemble(settings, parameters)
    else:
        check_layers(settings, parameters)
