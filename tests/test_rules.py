"""docs/rules.md: every rule has tests that exist, or says that it is not built yet."""

import ast
import re
from functools import cache
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "rules.md"
HEAD = "| rule | what it says | held by |"
NOT_BUILT_YET = "*not built yet*"
A_ROW = re.compile(r"\| (?P<number>\d+\.\d+) \| (?P<rule>[^|]+) \| (?P<held_by>[^|]+) \|")
A_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
A_HEADING = re.compile(r"## (\d+)\. .+")


def lines() -> list[str]:
    return PAGE.read_text(encoding="utf-8").splitlines()


def rows() -> list[tuple[str, str, str]]:
    """Number, rule and third cell of each row, as they are written."""
    found = [A_ROW.fullmatch(line) for line in lines()]
    return [(row["number"], row["rule"], row["held_by"]) for row in found if row]


@cache
def names_in(path: str) -> set[str]:
    """The tests of a file; one that has parameters is one test."""
    file = ROOT / path
    tree = ast.parse(file.read_text(encoding="utf-8") if file.exists() else "")
    return {each.name for each in tree.body if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")}


def test_every_line_of_a_table_of_rules_is_a_rule():
    inside = False
    bad = []
    for former, line in pairwise(["", *lines()]):
        if not line.startswith("|"):
            inside = False
        elif former == HEAD:
            assert line == "|---|---|---|"
        elif line == HEAD:
            inside = True
        elif inside != bool(A_ROW.fullmatch(line)):
            bad.append(line)
    assert bad == []
    assert len(rows()) > 100


def test_every_row_has_tests_or_is_not_built_yet():
    without = [(number, rule) for number, rule, held_by in rows() if not A_TEST.search(held_by)]
    assert [row for row in without if (*row, NOT_BUILT_YET) not in rows()] == []


def test_nothing_else_is_said_to_hold_a_rule():
    cells = [held_by for _number, _rule, held_by in rows() if held_by != NOT_BUILT_YET]
    assert [held_by for held_by in cells if A_TEST.sub("", held_by).strip(" ,")] == []


def test_every_test_named_is_there():
    named = {test for _number, _rule, held_by in rows() for test in A_TEST.findall(held_by)}
    assert {(path, test) for path, test in named if test not in names_in(path)} == set()


def test_each_section_counts_its_rules_from_one_without_a_gap():
    section = 0
    sections: dict[int, list[str]] = {}
    for line in lines():
        if heading := A_HEADING.fullmatch(line):
            section = int(heading[1])
            sections[section] = []
        elif row := A_ROW.fullmatch(line):
            sections[section].append(row["number"])
    assert list(sections) == list(range(1, len(sections) + 1))
    for section, found in sections.items():
        assert list(dict.fromkeys(found)) == [f"{section}.{number}" for number in range(1, len(set(found)) + 1)]
        assert found == sorted(found, key=lambda number: int(number.partition(".")[2])), "a rule's rows stand together"
