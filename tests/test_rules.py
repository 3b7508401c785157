"""docs/rules.md: every rule has tests that exist or says that it is not built yet, and every reference leads to one."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "rules.md"
HEAD = "| rule | what it says | held by |"
NOT_BUILT_YET = "*not built yet*"
A_ROW = re.compile(r"\| (?P<number>\d+\.\d+) \| (?P<rule>[^|]+) \| (?P<held_by>[^|]+) \|")
A_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
A_HEADING = re.compile(r"## (\d+)\. .+")
# Between the words of a reference there may be the end of a line, with the sign of a comment.
GAP = r"(?:\s|\#|//|\*)+"
A_NUMBER = r"\d+(?:\.\d+)?"


def listed(word: str, number: str) -> str:
    """A pattern for such numbers after a word: one, a list, a range."""
    return rf"{word}s?{GAP}{number}(?:(?:,|{GAP}(?:to|and)\b){GAP}{number})*"


A_REFERENCE = re.compile(
    rf"\b({listed('rule', r'[0-9]+[.][0-9]+')}|{listed('section', r'[0-9]+')}){GAP}\(docs/rules\.md\)", re.IGNORECASE
)
# A link of Markdown is no reference to a rule.
A_MENTION = re.compile(r"(?<!\])\(docs/rules\.md\)")
SUFFIXES = {".py", ".html", ".jinja", ".js", ".md"}


def lines() -> list[str]:
    return PAGE.read_text(encoding="utf-8").splitlines()


def rows() -> list[tuple[str, str, str]]:
    """Number, rule and third cell of each row, as they are written."""
    found = [A_ROW.fullmatch(line) for line in lines()]
    return [(row["number"], row["rule"], row["held_by"]) for row in found if row]


@cache
def numbers() -> frozenset[str]:
    """What a reference may name: each rule, and each section."""
    sections = {found[1] for line in lines() if (found := A_HEADING.fullmatch(line))}
    return frozenset({number for number, _rule, _held_by in rows()} | sections)


@cache
def names_in(path: str) -> set[str]:
    """The tests of a file; one that has parameters is one test."""
    file = ROOT / path
    tree = ast.parse(file.read_text(encoding="utf-8") if file.exists() else "")
    return {each.name for each in tree.body if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")}


def sources() -> Iterator[Path]:
    """Every file of the repository that may refer to a rule."""
    for top in sorted(ROOT.iterdir()):
        if not top.name.startswith(".") and top.name != "var":
            yield from (path for path in [top, *top.rglob("*")] if path.suffix in SUFFIXES and path.is_file())


def named_in(reference: str) -> list[str]:
    """The numbers that a reference names: those of a range one by one."""
    words = re.findall(rf"{A_NUMBER}|\bto\b", reference, re.IGNORECASE)
    named: list[str] = []
    for place, word in enumerate(words):
        if word.lower() == "to":
            named += between(words[place - 1], words[place + 1])
        else:
            named.append(word)
    return named


def between(first: str, last: str) -> list[str]:
    """The numbers inside a range; where its ends cannot belong together, a text that no rule has as its number."""
    (head, _, low), (section, _, high) = first.rpartition("."), last.rpartition(".")
    if head != section or int(low) >= int(high):
        return [f"{first} to {last}"]
    return [f"{head}.{number}" if head else str(number) for number in range(int(low) + 1, int(high))]


def unresolved(text: str) -> list[str]:
    """The numbers in the references of a text that have no row."""
    named = [number for found in A_REFERENCE.finditer(text) for number in named_in(found[1])]
    return [number for number in named if number not in numbers()]


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


def test_every_reference_leads_to_a_rule():
    texts = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in sources()}
    assert {path: names for path, text in texts.items() if (names := unresolved(text))} == {}
    assert [
        path for path, text in texts.items() if len(A_REFERENCE.findall(text)) != len(A_MENTION.findall(text))
    ] == []
    assert "docs/rules.md" in texts


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("rule 3.7", ["3.7"]),
        ("Rules 3.7 to 3.10", ["3.7", "3.8", "3.9", "3.10"]),
        ("rules 3.7, 4.2 and 5.3 to 5.5", ["3.7", "4.2", "5.3", "5.4", "5.5"]),
        ("rules 3.7\n    # to 3.8", ["3.7", "3.8"]),
        ("rule\n * 3.7", ["3.7"]),
        ("sections 3 and 4", ["3", "4"]),
        ("sections 3 to 5", ["3", "4", "5"]),
    ],
)
def test_a_reference_is_read_whole(words, named):
    [found] = A_REFERENCE.findall(f"How it is done ({words} ({'docs/rules.md'})).")
    assert sorted(named_in(found)) == sorted(named)


@pytest.mark.parametrize(
    "words",
    ["rule 3.99", "rules 3.7, 4.99", "rules 3.15 to 3.99", "rules 3.9 to 3.7", "rules 3.7 to 4.2", "section 99"],
)
def test_a_reference_to_no_rule_is_found(words):
    assert unresolved(f"{words} ({'docs/rules.md'})") != []
