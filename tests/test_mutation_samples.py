"""The patterns of `[tool.mutation]` in pyproject.toml: each module of the package has tests, or a reason why not."""

import pathlib
import tomllib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutation"]
SAMPLES = SETTINGS["samples"]
MODULES = [path.relative_to(ROOT) for path in sorted(ROOT.glob("jaxdqn/**/*.py"))]


def fitting(module, patterns):
    return [pattern for pattern in patterns if module.match(pattern)]


def test_every_module_is_in_one_sample_or_is_left_out_with_a_reason():
    assert len(MODULES) > 200
    for module in MODULES:
        number = sum(bool(fitting(module, sample["tests"])) for sample in SAMPLES.values())
        assert number < 2, f"{module} is in two samples"
        assert number or fitting(module, SETTINGS["left-out"]), f"{module} fits no pattern of [tool.mutation]"
    assert all(SETTINGS["left-out"].values())


@pytest.mark.parametrize("name", SAMPLES)
def test_every_pattern_is_the_first_for_a_module_and_its_tests_exist(name):
    patterns = SAMPLES[name]["tests"]
    first = {fitting(module, patterns)[0] for module in MODULES if fitting(module, patterns)}
    assert first == set(patterns)
    for pattern, files in patterns.items():
        assert files, pattern
        assert [file for file in files if not (ROOT / file).is_file()] == [], pattern


def test_every_pattern_that_leaves_out_fits_a_module_of_no_sample():
    sampled = [module for module in MODULES if any(fitting(module, sample["tests"]) for sample in SAMPLES.values())]
    for pattern in SETTINGS["left-out"]:
        assert any(module.match(pattern) and module not in sampled for module in MODULES), pattern
