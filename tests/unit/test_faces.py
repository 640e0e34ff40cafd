"""The examples in the docstrings of the faces run, and what a face offers is there."""

import doctest
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
