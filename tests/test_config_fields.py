import json
import re
import typing

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxdqn import config_dicts, config_fields, own_parts
from jaxdqn.algorithms import ALGORITHMS
from jaxdqn.config import Config
from jaxdqn.config_fields import number, part, static, whole
from jaxdqn.store import store


@pytest.fixture(autouse=True, scope="module")
def _short_names():
    """The types of this file have names as the types of the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_parts, "_PACKAGES", ("jaxdqn", "tests"))
        yield


@config_fields.configuration
class Inner:
    rate: float = number(0.5, above=0, at_most=1)


@config_fields.configuration
class Outer:
    size: float = number(1.0, at_least=0)
    limit: float | None = number(None, above=0)
    count: int = whole(3, at_least=1)
    widths: tuple[int, ...] = static((4, 4), at_least=1)
    kind: str = static("a", choices=("a", "b"))
    inner: Inner = part(Inner())


def test_numbers_are_leaves_and_structure_is_not():
    assert jax.tree.leaves(Outer(size=2.0, count=7)) == [2.0, 7, 0.5]
    assert jax.tree.structure(Outer(size=2.0)) == jax.tree.structure(Outer(inner=Inner(rate=0.1)))


@pytest.mark.parametrize("change", [{"widths": (4,)}, {"kind": "b"}, {"limit": 1.0}], ids=str)
def test_a_change_of_structure_changes_the_tree(change):
    assert jax.tree.structure(Outer(**change)) != jax.tree.structure(Outer())


@pytest.mark.parametrize(
    ("path", "value", "sentence"),
    [
        ("size", -1.0, "size = -1.0 is out of range: it must be at least 0."),
        ("inner.rate", 1.5, "inner.rate = 1.5 is out of range: it must be above 0 and at most 1."),
        ("inner.rate", 0.0, "inner.rate = 0.0 is out of range: it must be above 0 and at most 1."),
        ("size", "big", "size = 'big' must be a number."),
        ("size", float("nan"), "size = nan must be a finite number."),
        ("size", float("inf"), "size = inf must be a finite number."),
        ("size", True, "size = True must be a number."),
        ("size", None, "size = None must be a number."),
        ("count", 2.5, "count = 2.5 must be a whole number."),
        ("widths", (4, 0), "widths = (4, 0) is out of range: it must be at least 1."),
        ("widths", 4, "widths = 4 must be a tuple of whole numbers, such as (4, 4)."),
        ("widths", [4, 4.5], "widths = (4, 4.5) must be a tuple of whole numbers, such as (4, 4)."),
        ("kind", "c", "kind = 'c' is out of range: it must be one of 'a', 'b'."),
        ("inner", 3, "inner = 3 must be a configuration, such as Inner(rate=0.5)."),
    ],
)
def test_error_for_a_value_out_of_range_names_the_field(path, value, sentence):
    config = config_fields.replace_at(Outer(), path, value)
    with pytest.raises(ValueError, match="^" + re.escape(sentence) + "$"):
        config_fields.check(config)


@pytest.mark.parametrize(
    ("path", "value", "stored"),
    [
        ("size", np.float32(0.001), 0.001),
        ("size", np.float64(0.001), 0.001),
        ("size", jax.numpy.float32(0.001), 0.001),
        ("size", 2, 2),
        ("limit", None, None),
        ("count", np.int64(7), 7),
        ("count", 1e3, 1000),
        ("widths", [8, np.int32(8)], (8, 8)),
        ("widths", np.array([8.0, 8.0]), (8, 8)),
        ("kind", np.str_("b"), "b"),
        ("inner", Inner(rate=np.float32(0.1)), Inner(rate=0.1)),
        ("inner.rate", np.float32(0.1), 0.1),
    ],
)
def test_equal_values_of_other_types_are_stored_alike(path, value, stored):
    given = config_fields.replace_at(Outer(), path, value)
    assert repr(config_fields.paths(given)[path]) == repr(stored)
    config_fields.check(given)
    if "." not in path:
        assert repr(config_fields.normalised(Outer(**{path: value}))) == repr(given)


def test_a_float32_keeps_its_value_in_training():
    value = np.float32(0.1) / np.float32(3)
    assert config_fields.to_arrays(config_fields.normalised(Outer(size=value))).size == value


def test_none_is_allowed_if_it_is_the_default():
    config_fields.check(Outer(limit=None))
    config_fields.check(Outer(limit=2.0))


def test_error_for_an_unknown_field_lists_the_closest_names():
    with pytest.raises(ValueError, match=r"'inner.rat' is not a field .* 'inner.rate'"):
        config_fields.replace_at(Outer(), "inner.rat", 1.0)


def test_replacing_a_nested_field_keeps_the_others():
    changed = config_fields.replace_at(Outer(size=9.0), "inner.rate", 0.25)
    assert changed == Outer(size=9.0, inner=Inner(rate=0.25))


def test_a_field_without_a_kind_raises_an_error_when_the_class_is_made():
    with pytest.raises(TypeError, match=r"Broken\.x must be declared with"):

        @config_fields.configuration
        class Broken:
            x: int = 3


def test_stacking_gives_one_32_bit_leaf_per_field():
    stacked = config_fields.stack([Outer(size=1), Outer(size=2.5)])
    np.testing.assert_array_equal(stacked.size, np.float32([1.0, 2.5]))
    assert (stacked.size.dtype, stacked.count.dtype) == (np.float32, np.int32)
    assert stacked.widths == (4, 4)


def test_facts_name_the_type_of_every_part():
    assert config_dicts.to_dict(Outer(size=1)) == {
        "type": "Outer",
        "size": 1.0,
        "limit": None,
        "count": 3,
        "widths": [4, 4],
        "kind": "a",
        "inner": {"type": "Inner", "rate": 0.5},
    }


@config_fields.configuration
class Extended(Inner):
    """`Inner` after four fields were added, one of each kind."""

    scale: float = number(1.0, omit_default=True)
    copies: int = whole(2, omit_default=True)
    frames: int = static(1, at_least=1, omit_default=True)
    nested: Inner | Outer = part(Inner(), omit_default=True)


def facts_of_extended(**fields):
    return config_dicts.to_dict(Extended(rate=0.25, **fields)) | {"type": "Inner"}


def test_an_added_field_at_its_default_leaves_facts_and_identifier_unchanged():
    before = config_dicts.to_dict(Inner(rate=0.25))
    assert facts_of_extended() == before
    assert store.identifier(facts_of_extended()) == store.identifier(before)


@pytest.mark.parametrize("change", [{"scale": 2.0}, {"copies": 3}, {"frames": 4}, {"nested": Inner(rate=0.1)}], ids=str)
def test_an_added_field_with_another_value_is_a_fact(change):
    facts = facts_of_extended(**change)
    assert facts.keys() == {"type", "rate", *change}
    assert store.identifier(facts) != store.identifier(facts_of_extended())
    assert config_dicts.from_dict(Extended, facts | {"type": "Extended"}) == Extended(rate=0.25, **change)


@config_fields.configuration
class Other:
    slope: float = number(2.0)


@config_fields.configuration
class Choice:
    inner: Inner | Other = part(Inner())
    anything: typing.Any = part(Inner())


def through_json(config):
    return json.loads(json.dumps(config_dicts.to_dict(config)))


@settings(max_examples=50)
@given(
    size=st.floats(0, 1e30),
    limit=st.none() | st.floats(0, 1e30, exclude_min=True),
    count=st.integers(1, 2**31 - 1),
    widths=st.lists(st.integers(1, 10**6)).map(tuple),
    kind=st.sampled_from("ab"),
    rate=st.floats(0, 1, exclude_min=True),
)
def test_from_dict_inverts_to_dict(size, limit, count, widths, kind, rate):
    config = Outer(size, limit, count, widths, kind, Inner(rate))
    assert config_dicts.from_dict(Outer, through_json(config)) == config


@pytest.mark.parametrize("name", ALGORITHMS)
def test_from_dict_inverts_to_dict_for_every_algorithm(name):
    config = ALGORITHMS[name].config
    assert config_dicts.from_dict((Config, type(config.algorithm)), through_json(config)) == config


def test_a_part_has_a_type_of_its_hint_or_else_an_allowed_type():
    config = Choice(inner=Other(3.0), anything=Other(4.0))
    assert config_dicts.from_dict((Choice, Other), through_json(config)) == config
    assert config_dicts.from_dict(Choice | Other, through_json(config)) == config
    with pytest.raises(ValueError, match=re.escape("anything is of type 'Other': it must be one of Choice.")):
        config_dicts.from_dict(Choice, through_json(config))


def test_missing_fields_get_their_defaults():
    assert config_dicts.from_dict(Outer, {"type": "Outer", "count": 5}) == Outer(count=5)


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        (3, "The configuration = 3 must be a dictionary with a type."),
        ({"size": 1.0}, "The configuration = {'size': 1.0} must be a dictionary with a type."),
        ({"type": "Inner"}, "The configuration is of type 'Inner': it must be one of Outer."),
        ({"type": ["Outer"]}, "The configuration is of type ['Outer']: it must be one of Outer."),
        ({"type": "Outer", "inner": {"type": "os.system"}}, "inner is of type 'os.system': it must be one of Inner."),
        ({"type": "Outer", "inner": None}, "inner = None must be a dictionary with a type."),
        (
            {"type": "Outer", "inner": {"type": "Inner", "rat": 1}},
            "'inner.rat' is not a field of Inner, which has rate.",
        ),
        ({"type": "Outer", "size": -1.0}, "size = -1.0 is out of range: it must be at least 0."),
        ({"type": "Outer", "size": "1"}, "size = '1' must be a number."),
        ({"type": "Outer", "widths": [4, [4]]}, "widths = (4, [4]) must be a tuple of whole numbers, such as (4, 4)."),
        (
            {"type": "Outer", "size": 10**400},
            "A number of this configuration is too large (int too large to convert to float).",
        ),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(value)[:60],
)
def test_error_for_an_invalid_configuration_names_the_field(facts, sentence):
    with pytest.raises(ValueError, match="^" + re.escape(sentence) + "$"):
        config_dicts.from_dict(Outer, facts)
