"""The watch itself: what it is there for does not pass unseen."""

import pytest

from tests.browser.watch import Watch, found_by_axe


@pytest.fixture
def bare(page, watch: Watch):
    """The sign-in page, whose watch is asked by the test itself."""
    page.goto("/sign-in/")
    yield page
    watch.problems.clear()


def test_a_script_that_the_policy_forbids_is_a_problem(bare, watch):
    bare.evaluate("document.body.append(Object.assign(document.createElement('script'), {textContent: '1'}))")
    bare.title()
    assert "Content Security Policy" in watch.problems[0]


def test_an_error_in_a_script_is_a_problem(bare, watch):
    with bare.context.expect_event("weberror"):
        bare.evaluate("void setTimeout(() => { throw new Error('by the test') })")
    assert "by the test" in watch.problems[0]


def test_an_answer_with_an_error_is_a_problem_unless_the_test_provoked_it(bare, watch):
    bare.goto("/nowhere/")
    assert "404" in watch.problems.pop()
    watch.allow(404)
    bare.goto("/nowhere/")
    assert watch.problems == []


def test_axe_sees_a_barrier(bare):
    bare.evaluate("document.querySelector('label').remove()")
    assert any("label" in found for found in found_by_axe(bare))
