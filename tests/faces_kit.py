"""What a part of the code offers the others, read from the source, and what its docstrings leave untold."""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = ("c2m", "expectations", "models", "optimization", "flows")
FINE = ("c2m", "models", "optimization")  # parts whose folders are parts of their own
FEW = 1  # parameters that the first lines may tell
NUMBERS = {"int", "float", "Decimal", "Floats", "Ints"}
ARRAYS = {"Floats", "Ints", "Flags"}
FRAMES = {"DataFrame", "Series"}
VAGUE = {"str", "dict", "Mapping", "Any", *NUMBERS, *ARRAYS, *FRAMES}  # types that do not say what a value means
ERRORS = {"C2MError", "InputError", "InfeasibleError", "StoreError"}
# What a number counts or measures, in its name or in the words on it.
_UNITS = (
    "alerts bytes? chances? columns? counts? costs? currency days? degrees draws factor factories features "
    "folds gap gb hours? how.(many|often) index interval letters? levels? logarithms? lots mb messages minutes? money "
    "months? nodes numbers? orders origins pairs parts percent periods? pids? pieces? ports? positions? prices? "
    "probability probabilities quantiles? quantity rank ratios? relative revision rounds? rows? s seconds "
    "seeds? shares? stages? standard.deviations? threads times units? versions? weeks? years?"
)
UNIT = re.compile(rf"(?<![a-z])(?<![a-z]')({_UNITS.replace(' ', '|')})(?![a-z])")
SHAPE = re.compile(r"\(\w+( [+x] \w+)?,( ?[\w +.]+,?)*\)")
COLUMNS = re.compile(r"\b[A-Z]{3,}|`|\bmarts?\b|landing/|\b[a-z]+_[a-z]+|\w+, \w+, \w+|[Cc]olumn|\bby\b|aligned")
CLEAR = re.compile(r"(^|_)(id|ids|on|days|s|minutes|hours|pieces|cost|share|category|colour|currency|sha256|url|q\d+)$")


@dataclass(frozen=True)
class Module:
    """A file of the code."""

    text: str

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax."""
        return ast.parse(self.text)

    @cached_property
    def _nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def imported(self) -> dict[str, str]:
        """What it imports from where: whole names by own ones."""
        imports = (node for node in self._nodes if isinstance(node, ast.ImportFrom))
        return {alias.name: f"{node.module}.{alias.name}" for node in imports for alias in node.names}

    @property
    def reached(self) -> set[str]:
        """Whole names of what it imports, and of what it takes out of an imported module."""
        names = self.imported
        taken = (node for node in self._nodes if isinstance(node, ast.Attribute))
        pairs = ((node.value.id, node.attr) for node in taken if isinstance(node.value, ast.Name))
        return {*names.values(), *(f"{names[name]}.{own}" for name, own in pairs if name in names)}

    @property
    def listed(self) -> set[str]:
        """What `__all__` lists."""
        named = (node for node in self.tree.body if isinstance(node, ast.Assign))
        lists = (node.value for node in named if ast.unparse(node.targets[0]) == "__all__")
        return {one for value in lists for one in ast.literal_eval(value)}

    def comments(self, field: ast.AnnAssign) -> str:
        """What stands behind a field, or in lines of their own above it."""
        lines = self.text.splitlines()
        first, last = field.lineno - 1, field.end_lineno or field.lineno
        above = takewhile(lambda line: line.strip().startswith("# "), reversed(lines[:first]))
        return " ".join(line.partition("# ")[2] for line in [*above, *lines[first:last]]).strip()


@dataclass(frozen=True)
class Offered:
    """A function, a method or a class that a part offers the others, and the module that it stands in."""

    name: str
    node: ast.FunctionDef | ast.ClassDef
    module: Module

    @property
    def told(self) -> str:
        """Its docstring."""
        return ast.get_docstring(self.node) or ""

    @property
    def lacking(self) -> list[str]:
        """What the docstring leaves untold, in words."""
        if not self.told:
            return ["all: it has no docstring"]
        if isinstance(self.node, ast.ClassDef):
            return [untold for field in _fields(self.node) for untold in self._of_field(*field)]
        return list(self._of_function(self.node))

    def _of_function(self, node: ast.FunctionDef) -> Iterator[str]:
        asked, told = parameters(node), section(self.told, "Parameters")
        returned = " ".join([*section(self.told, "Returns").values(), *section(self.told, "Yields").values()])
        if len(asked) > FEW:
            if [*told] != [one.arg for one in asked]:
                yield f"its parameters: {[one.arg for one in asked]}, told are {[*told]}"
            if not returned and words(node.returns) - {"None", "NoReturn"}:
                yield "what it returns"
            if wrong := {name for one in section(self.told, "Returns") for name in _classes(one)} - words(node.returns):
                yield f"what it returns, which is no {', '.join(sorted(wrong))}"
        for one in asked:
            yield from _of_value(one.arg, one.annotation, told.get(one.arg, self.told))
        first = self.told.partition("Parameters\n---")[0]
        yield from _of_value(f"what {node.name} returns", node.returns, f"{first} {returned}")
        named = set(section(self.told, "Raises"))
        if "C2MError" not in named and (errors := sorted(raised(self.module.tree, node) - named)):
            yield f"that it raises {', '.join(errors)}"

    def _of_field(self, name: str, field: ast.AnnAssign) -> Iterator[str]:
        """A comment, a description or the docstring of the class tells it, where its type and its name do not."""
        own = self.module.comments(field) or "description=" in ast.unparse(field)
        if words(field.annotation) & VAGUE and not (own or CLEAR.search(name) or re.search(rf"\b{name}\b", self.told)):
            yield f"what {name} is"
        told = f"{self.told} {self.module.comments(field)} {ast.unparse(field.value) if field.value else ''}"
        yield from _of_value(name, field.annotation, told)


@cache
def modules() -> dict[str, Module]:
    """Every module of the parts, by dotted name."""
    files = (path for part in PARTS for path in (ROOT / part).rglob("*.py"))
    named = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in files}
    return {name.removesuffix(".__init__"): Module(path.read_text("utf-8")) for name, path in named.items()}


@cache
def faces() -> dict[str, Offered]:
    """What another part imports or reaches by its module, what folders list by name, and public methods of these."""
    found: dict[str, Offered] = {}
    for name in sorted(_wanted()):
        home, _, own = name.rpartition(".")
        for node in modules()[home].tree.body if home in modules() else ():
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == own:
                found |= {each.name: each for each in _with_methods(Offered(name, node, modules()[home]))}
    return found


def _wanted() -> set[str]:
    """Whole names; those that a folder passes on are followed to where they are defined."""
    passed_on = {f"{name}.{own}": whole for name, module in modules().items() for own, whole in module.imported.items()}
    listed = {f"{name}.{own}" for name, module in modules().items() for own in module.listed}
    reached = {other for name, module in modules().items() for other in module.reached if _part(other) != _part(name)}
    return {passed_on.get(name, name) for name in listed | reached}


def _part(name: str) -> str:
    """The part that a name belongs to: within those of FINE each folder, and each module beside them, is one."""
    first, *rest = name.split(".")
    return ".".join([first, *rest[:1]]) if first in FINE else first


def _with_methods(offered: Offered) -> Iterator[Offered]:
    yield offered
    for node in offered.node.body if isinstance(offered.node, ast.ClassDef) else ():
        if isinstance(node, ast.FunctionDef) and node.name[0] != "_":
            yield Offered(f"{offered.name}.{node.name}", node, offered.module)


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, ast.AnnAssign]]:
    for field in node.body:
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and field.target.id[0] != "_":
            yield field.target.id, field


def parameters(function: ast.FunctionDef) -> list[ast.arg]:
    """All but the object that a method is called on."""
    asked = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return asked[1:] if asked and asked[0].arg in ("self", "cls") else asked


def section(told: str, title: str) -> dict[str, str]:
    """A section of a docstring: the words on each name."""
    text = told.partition(f"{title}\n{'-' * len(title)}\n")[2].split("\n\n")[0]
    found: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith(" ") and found:
            found[[*found][-1]] += f"{line.strip()} "
        else:
            found[line] = ""
    return found


def words(annotation: ast.expr | None) -> set[str]:
    """The names in an annotation."""
    return set(re.findall(r"\w+", ast.unparse(annotation))) if annotation else set()


def _classes(told: str) -> set[str]:
    """Classes of ours that the head of a result names."""
    return set(re.findall(r"(?<![.\w])[A-Z]\w+", told)) - {"None"}


def _of_value(name: str, annotation: ast.expr | None, told: str) -> Iterator[str]:
    kinds = words(annotation)
    if kinds & NUMBERS and not UNIT.search(f"{name} {told}".replace("_", " ").lower()):
        yield f"the unit: {name}"
    if kinds & ARRAYS and not SHAPE.search(told):
        yield f"the shape: {name}"
    if kinds & FRAMES and not COLUMNS.search(told):
        yield f"the columns: {name}"


def raised(module: ast.Module, function: ast.FunctionDef) -> set[str]:
    """Our errors that a function raises, or a helper of its module that it calls, and that it does not catch."""
    return _Raised(module).of(function)


class _Raised:
    """Walks from a function through the functions and methods of its module."""

    def __init__(self, module: ast.Module) -> None:
        self.helpers = {node.name: node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)}
        self.seen: set[str] = set()

    def of(self, function: ast.FunctionDef) -> set[str]:
        self.seen.add(function.name)
        return self._of(function.body)

    def _of(self, nodes: Iterable[ast.AST]) -> set[str]:
        return {error for node in nodes for error in self._of_node(node)}

    def _of_node(self, node: ast.AST) -> set[str]:
        if isinstance(node, ast.Try):
            caught = {name for handler in node.handlers for name in words(handler.type) or ERRORS}
            tried = {error for error in self._of(node.body) if not {error, "C2MError", "Exception"} & caught}
            return tried | self._of([*node.handlers, *node.orelse, *node.finalbody])
        found = self._of(ast.iter_child_nodes(node))
        if isinstance(node, ast.Raise):
            found |= words(node.exc) & ERRORS
        if isinstance(node, ast.Call) and (called := _called(node)) in self.helpers and called not in self.seen:
            found |= self.of(self.helpers[called])
        return found


def _called(node: ast.Call) -> str:
    """The name of a function of the module, or of a method of the object itself; '' for others."""
    told = ast.unparse(node.func)
    return told.removeprefix("self.").removeprefix("cls.") if "." not in told[5:] else ""
