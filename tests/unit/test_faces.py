"""The examples in the docstrings of the faces run, and what a face offers is there and is told."""

import ast
import doctest
import inspect
from importlib import import_module
from typing import Any

import pytest
from faces_kit import Module, Offered, faces, modules, section

EXAMPLES = [
    "c2m.domain.alert_rules",
    "c2m.domain.apportion",
    "c2m.domain.crafts",
    "c2m.domain.designs",
    "c2m.domain.lanes",
    "c2m.domain.markets",
    "c2m.domain.newsvendor",
    "c2m.domain.operations",
    "c2m.domain.personalisation",
    "c2m.domain.promises",
    "c2m.domain.worktime",
    "c2m.feeds.forms.ooxml",
    "c2m.feeds.mapping",
    "c2m.wire.messages",
    "models.demand.train",
    "models.design.demand",
    "models.ensemble.auto",
    "models.ensemble.panel_forecast",
    "models.evaluation.backtest",
    "models.panel.long",
    "models.price.proposal",
    "optimization",
    "optimization.explanation.answer",
    "optimization.verification.verifier",
    "optimization.whatif.comparison",
]
# Read an id from the ledger and look it up there: the error for an unknown one cannot come.
SURE_OF_THE_ID = {"first_released", "in_folder", "in_force", "newest_of_day", "waiting"}
OF_PYDANTIC = {"c2m.settings.Settings.settings_customise_sources"}  # which says what it is called with


@pytest.mark.parametrize("face", EXAMPLES)
def test_the_example_of_a_face_runs(face: str) -> None:
    found = doctest.testmod(import_module(face))
    assert found.attempted > 0
    assert found.failed == 0


def test_no_example_is_left_out() -> None:
    assert sorted(name for name, module in modules().items() if ">>> " in module.text) == EXAMPLES


def test_what_the_face_of_plans_offers_is_there() -> None:
    face = import_module("optimization")
    assert all(callable(getattr(face, name)) for name in face.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        face.nothing  # noqa: B018


FUNCTIONS = ("allocate", "explain", "solve", "verify", "what_if", "Instance.from_tables")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_is_offered_tells_its_parameters_its_result_and_its_errors(name: str) -> None:
    thing: Any = import_module("optimization")
    for part in name.split("."):
        thing = getattr(thing, part)
    told = inspect.getdoc(thing) or ""
    assert [*section(told, "Parameters")] == list(inspect.signature(thing).parameters)
    assert section(told, "Returns")
    assert section(told, "Raises")


def test_no_function_of_the_face_of_plans_is_left_out() -> None:
    face = import_module("optimization")
    assert {name for name in face.__all__ if inspect.isfunction(getattr(face, name))} <= set(FUNCTIONS)


def test_what_another_part_uses_is_told_in_full() -> None:
    assert len(faces()) > 1000
    assert {"models.ensemble.panel_forecast.answer", "c2m.ledger.plans.release", "c2m.domain.newsvendor.Stakes.of"} <= {
        *faces()
    }
    assert {"optimization.planning.solve.solve", "models.panel.matrices.Panel", "c2m.wire.messages.JobOrder"} <= {
        *faces()
    }
    unable = {f"c2m.ledger.plans.{name}": ["that it raises InputError"] for name in SURE_OF_THE_ID}
    found = {name: one.lacking for name, one in faces().items() if name not in OF_PYDANTIC and one.lacking}
    assert found == unable


MODULE = '''
def cut(cloth: pd.DataFrame, width: float) -> Floats:
    """Cuts cloth."""
    return _checked(cloth)

def _checked(cloth):
    raise InputError("cloth", ["none"])

class Roll:
    """A roll of cloth."""
    left: float
    cloth: pd.DataFrame
    width_pieces: int  # what it gives

def bare(): ...
'''
LACKING = {
    "cut": [
        "its parameters: ['cloth', 'width'], told are []",
        "what it returns",
        "the columns: cloth",
        "the unit: width",
        "the unit: what cut returns",
        "the shape: what cut returns",
        "that it raises InputError",
    ],
    "Roll": ["what left is", "the unit: left", "the columns: cloth"],
    "bare": ["all: it has no docstring"],
}


@pytest.mark.parametrize("name", LACKING)
def test_what_a_docstring_leaves_untold_is_found(name: str) -> None:
    module = Module(MODULE)
    (node,) = (node for node in module.tree.body if getattr(node, "name", "") == name)
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    assert Offered(name, node, module).lacking == LACKING[name]
