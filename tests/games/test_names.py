"""Names of environments with arguments and wrappers: one string names a game everywhere."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from jaxdqn import games
from jaxdqn.games import names
from jaxdqn.games.names import EnvironmentName, WrapperName
from jaxdqn.settings import name_for
from jaxdqn.study.spec import Study, cells
from jaxdqn.training.evaluate import Evaluation
from tests.helpers.runs import SMALL


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("False", False),
        ("true", True),
        ("8x8", "8x8"),
        ("8", 8),
        ("8.0", 8.0),
        ("1e5", 100_000.0),
        ("None", None),
        ("'8'", "8"),
        ("'true'", "true"),
        ("['SF','HG']", ["SF", "HG"]),
        ("(1,2)", (1, 2)),
        ("a=b", "a=b"),
        ("50%25", "50%"),
        ("a%26b%7Cc", "a&b|c"),
        ("%2526", "%26"),
    ],
)
def test_a_value_is_a_literal_and_otherwise_a_string(text, value):
    found = names.parse(f"gymnasium:Some-v0?key={text}").arguments["key"]
    assert (found, type(found)) == (value, type(value))


PLAIN = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False, allow_infinity=False) | some.text(),
    lambda values: some.lists(values, max_size=3) | some.lists(values, max_size=3).map(tuple),
    max_leaves=4,
)


@settings(max_examples=30)
@given(some.dictionaries(some.sampled_from(["a", "b", "c"]), PLAIN))
def test_a_canonical_name_keeps_arguments_and_their_types(arguments):
    arguments = dict(sorted(arguments.items()))
    parts = EnvironmentName(
        "module:Some-v0", arguments, (WrapperName("my:First", arguments), WrapperName("others:Second"))
    )
    name = names.spelled(parts)
    assert repr(names.parse(name)) == repr(parts)
    assert names.canonical(name) == name


def test_two_spellings_of_one_game_have_one_name_and_one_identifier():
    written = (
        "gymnasium:FrozenLake-v1?map_name=8x8&is_slippery=false",
        "gymnasium:FrozenLake-v1?is_slippery=False&map_name='8x8'",
    )
    assert {names.canonical(name) for name in written} == {"gymnasium:FrozenLake-v1?is_slippery=False&map_name=8x8"}
    studies = [Study("names", (name,), {"dqn": SMALL}, range(1), 200, Evaluation(200, 1)) for name in written]
    assert studies[0].games == studies[1].games == (names.canonical(written[0]),)
    assert cells(studies[0])[0].id == cells(studies[1])[0].id
    with pytest.raises(ValueError, match="more than once"):
        Study("names", written, {"dqn": SMALL}, range(1), 200, Evaluation(200, 1))


def test_other_arguments_are_another_game():
    def identifier(name):
        return cells(Study("names", (name,), {"dqn": SMALL}, range(1), 200, Evaluation(200, 1)))[0].id

    base = "gymnasium:FrozenLake-v1"
    wrapped = f"{base}|tests.helpers.host_games:RewardPlusOne"
    assert (
        len({identifier(name) for name in (base, f"{base}?is_slippery=False", f"{base}?max_episode_steps=7", wrapped)})
        == 4
    )


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("gymnasium:Some-v0?", "'', which must be of the form NAME=VALUE"),
        ("gymnasium:Some-v0?key", "'key', which must be of the form NAME=VALUE"),
        ("gymnasium:Some-v0?key=", "'key=', which must be of the form NAME=VALUE"),
        ("gymnasium:Some-v0?a-b=1", "'a-b=1', which must be of the form NAME=VALUE"),
        ("gymnasium:Some-v0?key={}", "key={}, whose value must be a bool, a number, None, a string, or a list"),
        ("gymnasium:Some-v0?key=1e999", "key=1e999, whose value must be"),
        ("gymnasium:Some-v0?key=1&key=2", "two arguments 'key'"),
        ("gymnasium:Some-v0?render_mode=human", "'render_mode', which this package sets itself"),
        ("gymnasium:Some-v0|Wrapper", "the wrapper 'Wrapper', which must be of the form MODULE:CLASS"),
        ("gymnasium:Some-v0|m:First?key", "'key', which must be of the form NAME=VALUE"),
        ("gymnasium:Some-v0|", "the wrapper '', which must be of the form MODULE:CLASS"),
    ],
)
def test_a_malformed_name_is_refused_in_one_sentence(name, word):
    with pytest.raises(ValueError, match=r"^[^\n]+\.$") as refusal:
        games.make(name)
    assert word in str(refusal.value)


def test_wrappers_are_put_around_those_that_a_name_has():
    assert (
        names.wrapped("gymnasium:Some-v0?b=1&a=2|m:First", ["m:Second?d=4&c=x"])
        == "gymnasium:Some-v0?a=2&b=1|m:First|m:Second?c=x&d=4"
    )
    assert names.wrapped("catch", []) == "catch"
    with pytest.raises(ValueError, match="catch takes no wrapper m:First"):
        names.wrapped("catch", ["m:First"])


def test_an_environment_with_arguments_has_the_settings_of_the_environment():
    assert name_for("gymnasium:LunarLander-v3?gravity=-5.0") == name_for("gymnasium:LunarLander-v3") == "lunar_lander"
    assert name_for("gymnasium:Acrobot-v1?max_episode_steps=9|my:Wrapper") == "acrobot"
