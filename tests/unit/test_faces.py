"""The examples in the docstrings of the faces run, and what a face offers is there."""

import doctest
import inspect
from importlib import import_module

import pytest


@pytest.mark.parametrize("face", ["optimization"])
def test_the_example_of_a_face_runs(face: str) -> None:
    found = doctest.testmod(import_module(face))
    assert found.attempted > 3
    assert found.failed == 0


def test_what_the_face_of_plans_offers_is_there() -> None:
    face = import_module("optimization")
    assert all(callable(getattr(face, name)) for name in face.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        face.nothing  # noqa: B018


FUNCTIONS = ("allocate", "explain", "solve", "verify", "what_if", "Instance.from_tables")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_offered_tells_its_parameters_its_result_and_its_errors(name: str) -> None:
    thing = import_module("optimization")
    for part in name.split("."):
        thing = getattr(thing, part)
    told = inspect.getdoc(thing) or ""
    parameters = told.partition("Parameters\n----------\n")[2].partition("\n\nReturns\n-------\n")[0]
    named = [line for line in parameters.splitlines() if line and not line.startswith(" ")]
    assert named == list(inspect.signature(thing).parameters)
    assert "\nReturns\n-------\n" in told
    assert "\nRaises\n------\n" in told


def test_no_function_of_the_face_of_plans_is_left_out() -> None:
    face = import_module("optimization")
    assert {name for name in face.__all__ if inspect.isfunction(getattr(face, name))} <= set(FUNCTIONS)
