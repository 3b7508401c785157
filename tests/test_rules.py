"""docs/rules.md: every rule of the domain beside the tests that hold it, none without a test, no test that is gone."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "rules.md"
# The source of the rules lies beside the repository, not in it.
DOMAIN = ROOT.parent / "shared" / "design" / "domain.md"
SECTIONS = range(2, 10)
A_ROW = re.compile(r"^\| (?P<number>[0-9][0-9.]*) +\|(?P<rule>[^|]+)\|(?P<held_by>[^|]*)\|$", re.MULTILINE)
A_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows() -> list[tuple[str, str, str]]:
    """Number, rule and tests of each row, as they are written."""
    found = A_ROW.findall(PAGE.read_text(encoding="utf-8"))
    return [(number, rule.strip(), held_by) for number, rule, held_by in found]


@cache
def names_in(path: str) -> set[str]:
    """The tests of a file; one that has parameters is one test."""
    file = ROOT / path
    tree = ast.parse(file.read_text(encoding="utf-8") if file.exists() else "")
    return {each.name for each in tree.body if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")}


def numbers_of(domain: str) -> set[str]:
    """As 3.7; where rules have dots instead of numbers, they count from one."""
    numbers = set()
    for section, text in re.findall(r"^## (\d+)\. .*?$(.*?)(?=^## |\Z)", domain, re.MULTILINE | re.DOTALL):
        if int(section) in SECTIONS:
            given = re.findall(r"^(\d+)\. ", text, re.MULTILINE)
            counted = range(1, 1 + len(re.findall(r"^- ", text, re.MULTILINE)))
            numbers |= {f"{section}.{number}" for number in given or counted}
    return numbers


def test_every_rule_has_a_test():
    assert [(number, rule) for number, rule, held_by in rows() if not A_TEST.search(held_by)] == []


def test_every_line_of_a_table_is_a_rule():
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if re.match(r"\|\s*\d", line)]
    assert [line for line in lines if not A_ROW.fullmatch(line)] == []
    assert len(lines) > len(SECTIONS)


def test_every_test_named_is_there():
    named = {test for _number, _rule, held_by in rows() for test in A_TEST.findall(held_by)}
    assert {(path, test) for path, test in named if test not in names_in(path)} == set()


def test_nothing_else_is_said_to_hold_a_rule():
    assert [held_by for _number, _rule, held_by in rows() if A_TEST.sub("", held_by).strip(" ,")] == []


def test_every_numbered_rule_of_the_domain_has_a_row_and_no_other_has():
    if not DOMAIN.exists():
        pytest.skip("The domain lies beside the repository, and is not here")
    asked_for = numbers_of(DOMAIN.read_text(encoding="utf-8"))
    listed = {number for number, _rule, _held_by in rows() if "." in number}
    assert (asked_for - listed, listed - asked_for) == (set(), set())
    assert len(asked_for) > len(SECTIONS)
