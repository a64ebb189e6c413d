"""Numbers in the forms in which users write them."""

import numpy as np
import pytest

from jaxdqn import plain_numbers


@pytest.mark.parametrize(
    ("text", "number"), [("2000", 2_000), ("2_000", 2_000), ("1e5", 100_000), ("2.5E3", 2_500), ("-1", -1), ("0", 0)]
)
def test_a_whole_number_of_a_text(text, number):
    assert plain_numbers.whole_of(text) == number
    assert type(plain_numbers.whole_of(text)) is int


@pytest.mark.parametrize("text", ["1.5", "1e-3", "many", "", "1e999", "nan", "1,000"])
def test_a_text_without_a_whole_number_is_refused_with_the_forms_that_are_read(text):
    with pytest.raises(ValueError, match=r"must be a whole number, such as 2000, 2_000 or 2e3\.$"):
        plain_numbers.whole_of(text)


@pytest.mark.parametrize("value", [True, 1.5, float("inf"), "3", None, np.float32(0.5), np.bool_(True)])
def test_what_is_no_whole_number_stays(value):
    assert plain_numbers.as_whole(value) == value
    assert not (type(value) is not int and type(plain_numbers.as_whole(value)) is int)


@pytest.mark.parametrize("value", [range(3), 5, "012", None, np.array(3)])
def test_ranges_and_what_is_no_list_stay(value):
    assert plain_numbers.as_whole_numbers(value) is value


def test_lists_become_tuples_of_whole_numbers():
    for values in ([0, 1.0, np.int64(2)], np.arange(3), np.array([0.0, 1.0, 2.0]), (0, 1, 2)):
        assert repr(plain_numbers.as_whole_numbers(values)) == "(0, 1, 2)"
