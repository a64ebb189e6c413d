import json

import pytest

from tests.networks import parameters

EXPECTED = json.loads(parameters.FILE.read_text())


@pytest.mark.parametrize("name", parameters.NETWORKS)
@pytest.mark.parametrize("seed", [0, 7])
def test_the_same_seed_gives_the_same_parameters_under_the_same_paths(name, seed):
    found, expected = parameters.initial(name, seed), EXPECTED[name][str(seed)]
    assert list(found) == list(expected)
    for path, (*shape, number) in found.items():
        assert [*shape, number] == [*expected[path][:-1], pytest.approx(expected[path][-1], rel=1e-3, abs=1e-3)], path
