"""A public name of a module is defined once in the three rooms, so that it means one thing."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("partnercenter", "customers", "budgets")
# Names that Django or the logging module expects in each module.
EXPECTED_BY_DJANGO = {"urlpatterns", "app_name", "register", "logger", "Command"}


def names_defined(module: Path) -> Iterator[str]:
    """The functions, classes and constants at the top of a module."""
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def test_no_public_name_is_defined_in_two_modules():
    modules: dict[str, set[str]] = defaultdict(set)
    for room in ROOMS:
        for module in (ROOT / room).rglob("*.py"):
            if "migrations" not in module.parts:
                for name in names_defined(module):
                    modules[name].add(str(module.relative_to(ROOT)))
    assert "set_budgets" in modules
    public = {name: where for name, where in modules.items() if not name.startswith("_")}
    assert {name: where for name, where in public.items() if len(where) > 1 and name not in EXPECTED_BY_DJANGO} == {}
