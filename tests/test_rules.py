"""docs/rules.md: every row names existing tests or says that it is not built yet, and every reference leads to one."""

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
ROW = re.compile(r"\| (?P<number>\d+\.\d+) \| (?P<rule>[^|]+) \| (?P<held_by>[^|]+) \|")
TEST_NAME = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
HEADING = re.compile(r"## (\d+)\. .+")
# Between the words of a reference a line may end and a comment sign follow.
GAP = r"(?:\s|\#|//|\*)+"
NUMBER = r"\d+(?:\.\d+)?"


def word_with_numbers(word: str, number: str) -> str:
    """A pattern for a word with one number, a list of numbers or a range."""
    return rf"{word}s?{GAP}{number}(?:(?:,|{GAP}(?:to|and)\b){GAP}{number})*"


RULES, SECTIONS = word_with_numbers("rule", r"[0-9]+[.][0-9]+"), word_with_numbers("section", r"[0-9]+")
REFERENCE = re.compile(rf"\b({RULES}|{SECTIONS}){GAP}\(docs/rules\.md\)", re.IGNORECASE)
# The target of a Markdown link is not a reference to a rule.
MENTION = re.compile(r"(?<!\])\(docs/rules\.md\)")
SUFFIXES = {".py", ".html", ".jinja", ".js", ".md"}


def lines() -> list[str]:
    return PAGE.read_text(encoding="utf-8").splitlines()


def rows() -> list[tuple[str, str, str]]:
    """Number, rule and third cell of each row."""
    found = [ROW.fullmatch(line) for line in lines()]
    return [(row["number"], row["rule"], row["held_by"]) for row in found if row]


@cache
def numbers() -> frozenset[str]:
    """The numbers that a reference may name: those of rules and of sections."""
    sections = {found[1] for line in lines() if (found := HEADING.fullmatch(line))}
    return frozenset({number for number, _rule, _held_by in rows()} | sections)


@cache
def names_of_tests_in(path: str) -> set[str]:
    """The names of the test functions of a file."""
    file = ROOT / path
    tree = ast.parse(file.read_text(encoding="utf-8") if file.exists() else "")
    return {each.name for each in tree.body if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")}


def sources() -> Iterator[Path]:
    """Every file of the repository that may refer to a rule."""
    for top in sorted(ROOT.iterdir()):
        if not top.name.startswith(".") and top.name != "var":
            yield from (path for path in [top, *top.rglob("*")] if path.suffix in SUFFIXES and path.is_file())


def numbers_in(reference: str) -> list[str]:
    """The numbers that a reference names, with every number of a range."""
    words = re.findall(rf"{NUMBER}|\bto\b", reference, re.IGNORECASE)
    named: list[str] = []
    for place, word in enumerate(words):
        if word.lower() == "to":
            named += between(words[place - 1], words[place + 1])
        else:
            named.append(word)
    return named


def between(first: str, last: str) -> list[str]:
    """The numbers of a range after its first one; for an invalid range a text that is not the number of any rule."""
    (head, _, low), (section, _, high) = first.rpartition("."), last.rpartition(".")
    if head != section or int(low) >= int(high):
        return [f"{first} to {last}"]
    return [f"{head}.{number}" if head else str(number) for number in range(int(low) + 1, int(high))]


def unresolved(text: str) -> list[str]:
    """The numbers in the references of a text that have no row."""
    named = [number for found in REFERENCE.finditer(text) for number in numbers_in(found[1])]
    return [number for number in named if number not in numbers()]


def test_every_line_of_a_table_of_rules_is_a_row():
    inside = False
    bad = []
    for former, line in pairwise(["", *lines()]):
        if not line.startswith("|"):
            inside = False
        elif former == HEAD:
            assert line == "|---|---|---|"
        elif line == HEAD:
            inside = True
        elif inside != bool(ROW.fullmatch(line)):
            bad.append(line)
    assert bad == []
    assert len(rows()) > 100


def test_every_row_names_tests_or_says_not_built_yet():
    without = [(number, rule) for number, rule, held_by in rows() if not TEST_NAME.search(held_by)]
    assert [row for row in without if (*row, NOT_BUILT_YET) not in rows()] == []


def test_the_third_cell_of_a_row_names_nothing_but_tests():
    cells = [held_by for _number, _rule, held_by in rows() if held_by != NOT_BUILT_YET]
    assert [held_by for held_by in cells if TEST_NAME.sub("", held_by).strip(" ,")] == []


def test_every_named_test_exists():
    named = {test for _number, _rule, held_by in rows() for test in TEST_NAME.findall(held_by)}
    assert {(path, test) for path, test in named if test not in names_of_tests_in(path)} == set()


def test_each_section_numbers_its_rules_from_one_without_gaps():
    section = 0
    sections: dict[int, list[str]] = {}
    for line in lines():
        if heading := HEADING.fullmatch(line):
            section = int(heading[1])
            sections[section] = []
        elif row := ROW.fullmatch(line):
            sections[section].append(row["number"])
    assert list(sections) == list(range(1, len(sections) + 1))
    for section, found in sections.items():
        assert list(dict.fromkeys(found)) == [f"{section}.{number}" for number in range(1, len(set(found)) + 1)]
        assert found == sorted(found, key=lambda number: int(number.partition(".")[2])), (
            "the rows of one rule must follow each other"
        )


def test_every_reference_leads_to_a_rule():
    texts = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in sources()}
    assert {path: names for path, text in texts.items() if (names := unresolved(text))} == {}
    assert [path for path, text in texts.items() if len(REFERENCE.findall(text)) != len(MENTION.findall(text))] == []
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
def test_a_reference_is_read_with_all_its_numbers(words, named):
    [found] = REFERENCE.findall(f"How it is done ({words} ({'docs/rules.md'})).")
    assert sorted(numbers_in(found)) == sorted(named)


@pytest.mark.parametrize(
    "words",
    ["rule 3.99", "rules 3.7, 4.99", "rules 3.15 to 3.99", "rules 3.9 to 3.7", "rules 3.7 to 4.2", "section 99"],
)
def test_a_reference_to_an_unknown_rule_is_found(words):
    assert unresolved(f"{words} ({'docs/rules.md'})") != []
