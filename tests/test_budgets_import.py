"""Importing budgets from a CSV file: what its lines may say, how bad lines are reported, and the review it becomes.

See section 3 (docs/rules.md) and rule 5.6 (docs/rules.md).
"""

import gzip
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from budgets.actions.import_budgets import BudgetImport, review_import
from budgets.actions.review_edits import edit_review
from budgets.actions.review_kinds import review_kind
from budgets.actions.set_budgets import apply_budgets
from budgets.models import AdjustmentRecord, Budget
from customers.models import AccountFreezing, AgreementRecord, Customer
from partnercenter.actions.partners import give_grant
from partnercenter.lib.csv_files import BadFile
from partnercenter.lib.errors import InvalidRequest, PermissionRefused
from partnercenter.models import BudgetType, Channel, Operation, User
from tests import factories
from tests.factories import terms
from tests.pages import start_undo

pytestmark = pytest.mark.clock("2026-09-20 04:00")

PAGE = "/budgets/import/"
HEADER = "customer_id,budget_type,amount,account_freezing,unfreeze_now\n"


def import_file(text: str | bytes, operator: User, **more: Any) -> BudgetImport:
    """Read a file and review what it would set."""
    content = text if isinstance(text, bytes) else text.encode()
    return review_import("budgets.csv", BytesIO(content), operator=operator, **more)


def csv_of(*lines: str) -> str:
    """The text of a file with these lines."""
    return HEADER + "".join(f"{line}\n" for line in lines)


def bad_lines(imported: BudgetImport) -> dict[int, str]:
    """The reasons of bad lines by the number of the line."""
    return {bad.line: bad.reason for bad in imported.bad_lines}


def test_each_line_sets_its_own_terms(acme, ann):
    one, other = factories.customer(acme, "one"), factories.customer(acme, "other")
    imported = import_file(csv_of("one,one_time,1200.50,automatic,yes", 'other,MONTHLY,"2,000",MANUAL,no'), ann)
    assert (imported.lines, imported.reviewed, imported.bad) == (2, 2, 0)
    assert not Budget.objects.exists()
    assert imported.operation is not None
    apply_budgets(imported.operation)
    assert terms(one) == ("ONE_TIME", Decimal("1200.50"), "AUTOMATIC")
    assert terms(other) == ("MONTHLY", Decimal("2000.00"), "MANUAL")
    assert (factories.fresh(one).is_frozen, factories.fresh(other).is_frozen) == (False, True)
    assert set(AdjustmentRecord.objects.values_list("channel", flat=True)) == {Channel.IMPORT}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("one,,70,,", ("MONTHLY", "70.00", "AUTOMATIC")),
        ("one,ONE_TIME,,,", ("ONE_TIME", "50.00", "AUTOMATIC")),
        ("one,,,MANUAL,", ("MONTHLY", "50.00", "MANUAL")),
    ],
)
def test_an_empty_cell_leaves_the_value_unchanged(acme, ann, line, expected):
    one = factories.customer(acme, "one")
    factories.budget(one, ann, "50", BudgetType.MONTHLY)
    operation = import_file(csv_of(line), ann).operation
    assert operation is not None
    apply_budgets(operation)
    kind, amount, policy = terms(one)
    assert (kind, str(amount), policy) == expected


def test_columns_are_found_by_name_and_unknown_columns_are_ignored(acme, ann):
    one = factories.customer(acme, "one")
    factories.budget(one, ann, "50")
    operation = import_file("status,amount,name,customer_id\nx,70,y,one\n", ann).operation
    assert operation is not None
    apply_budgets(operation)
    assert terms(one) == ("ONE_TIME", Decimal("70.00"), "AUTOMATIC")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("nobody,ONE_TIME,5,,", "'nobody' is not the ID of one of your customers"),
        ("theirs,ONE_TIME,5,,", "'theirs' is not the ID of one of your customers"),
        ("left,ONE_TIME,5,,", "'left' is not the ID of one of your customers"),
        (f"{'x' * 129},ONE_TIME,5,,", f"'{'x' * 60}' is not the ID of one of your customers"),
        ("referral,ONE_TIME,5,,", "A customer of the referral model has no budget."),
        ("good,,5,,", "good is already in line 2"),
        (",ONE_TIME,5,,", "customer_id is missing"),
        ("other,YEARLY,5,,", "budget_type is 'YEARLY', it must be one of: ONE_TIME, MONTHLY"),
        ("other,ONE_TIME,1.234,,", "Enter an amount such as 1200 or 1,200.50, with at most two decimal places."),
        ("other,ONE_TIME,0,,", "Enter an amount greater than 0."),
        ("other,ONE_TIME,2147483647.01,,", "Enter an amount of at most 2,147,483,647.00."),
        (
            "other,ONE_TIME,5,NEVER,",
            "account_freezing is 'NEVER', it must be one of: AUTOMATIC, MANUAL, AUTOMATIC_WITH_RESOURCES",
        ),
        (
            "other,ONE_TIME,5,AUTOMATIC_WITH_RESOURCES,",
            "Tick the agreement: resources are frozen only with it.",
        ),
        ("other,ONE_TIME,5,,maybe", "unfreeze_now is 'maybe', it must be one of: 1, 0"),
        ("other,ONE_TIME,,,", "The customer has no budget yet: budget_type and amount are needed."),
        ("other,,5,,", "The customer has no budget yet: budget_type and amount are needed."),
        ("other,,,,1", "The customer has no budget yet: budget_type and amount are needed."),
        ("other,MONTHLY,5,,", "Contact your distributor to be granted a monthly budget quota."),
        ("other,ONE_TIME,5", "expected 5 cells as in the header, found 3"),
        ('other,ONE_TIME,"5" x,,', "broken quoting, or a cell too long"),
        ("other,ONE_TIME,5\0,,", "contains a NUL character"),
    ],
)
def test_bad_lines_are_reported_by_number_and_reason(acme, borealis, ann, line, reason):
    give_grant(acme, monthly_quota=None, one_time_quota=factories.MILLION, operator=None)
    for name in ("good", "other"):
        factories.customer(acme, name)
    factories.customer(borealis, "theirs")
    Customer.objects.filter(pk=factories.customer(acme, "left").pk).update(disassociated_on="2026-09-01T00:00:00Z")
    factories.customer(acme, "referral", association_type=Customer.AssociationType.REFERRAL)
    imported = import_file(csv_of("good,ONE_TIME,5,,", line), ann)
    assert bad_lines(imported) == {3: reason}
    assert (imported.lines, imported.bad, imported.reviewed) == (2, 1, 1)


def test_text_that_is_not_utf8_is_a_bad_line(acme, ann):
    factories.customer(acme, "one")
    imported = import_file(HEADER.encode() + b"one,ONE_TIME,5,,\n\xff\xfe,ONE_TIME,5,,\n", ann)
    assert bad_lines(imported) == {3: "not UTF-8 text"}


def test_line_numbers_count_the_physical_lines_of_the_file(acme, ann):
    factories.customer(acme, "one")
    header = "note,customer_id,budget_type,amount\r\n"
    imported = import_file(f'{header}"a\r\nb",one,ONE_TIME,5\r\n\r\n"c\nd",nobody,ONE_TIME,5\r\n', ann)
    assert (list(bad_lines(imported)), imported.reviewed) == ([5], 1)


@pytest.mark.parametrize(
    "broken", ['"other,ONE_TIME,5,,\nthird,ONE_TIME,5,,\n', '"other,ONE_TIME,5,,\nthird,"ONE_TIME,5,,\n']
)
def test_an_unclosed_quote_that_swallows_other_lines_refuses_the_file(acme, ann, broken):
    factories.customer(acme, "one")
    with pytest.raises(BadFile) as error:
        import_file(f"{HEADER}one,ONE_TIME,5,,\n{broken}", ann)
    assert [str(bad) for bad in error.value.bad_lines] == [
        "budgets.csv, line 3: broken quoting, or a cell too long (this record runs on to line 4)"
    ]


def test_the_first_hundred_bad_lines_are_listed_and_all_are_counted(acme, ann):
    factories.customer(acme, "one")
    imported = import_file(csv_of("one,ONE_TIME,5,,", *(f"nobody{n},ONE_TIME,5,," for n in range(250))), ann)
    assert (imported.bad, [bad.line for bad in imported.bad_lines]) == (250, list(range(3, 103)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty: it needs a header line"),
        (b"customer_id,budget_type\n", "missing columns: amount"),
        (b"customer_id,amount,amount\n", "columns that occur twice: amount"),
        (gzip.compress(HEADER.encode() * 999, mtime=0)[:40], "the gzip data is damaged or cut off"),
    ],
)
def test_a_file_that_cannot_be_read_as_a_whole_is_refused(ann, content, reason):
    with pytest.raises(BadFile) as error:
        import_file(content, ann)
    assert [bad.reason for bad in error.value.bad_lines] == [reason]


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(acme, ann, settings):
    settings.UPLOAD_MAX_MEGABYTES = 1
    bomb = gzip.compress(csv_of("one,ONE_TIME,5,,").encode() + bytes(51 * 2**20))
    assert len(bomb) < 2**20
    with pytest.raises(BadFile, match="unpacks to more than 50 MB"):
        import_file(bomb, ann)


@pytest.mark.parametrize("wrap", [lambda text: b"\xef\xbb\xbf" + text, gzip.compress, lambda text: text[:-1]])
def test_a_byte_order_mark_gzip_and_a_missing_last_line_end_are_accepted(acme, ann, wrap):
    factories.customer(acme, "one")
    assert import_file(wrap(csv_of("one,ONE_TIME,5,,").encode()), ann).reviewed == 1


def test_a_line_that_changes_nothing_is_neither_an_error_nor_in_the_review(acme, ann):
    one, other = factories.customer(acme, "one"), factories.customer(acme, "other")
    factories.customer(acme, "referral", association_type=Customer.AssociationType.REFERRAL)
    factories.budget([one, other], ann, "50", BudgetType.MONTHLY)
    imported = import_file(csv_of("one,MONTHLY,50,AUTOMATIC,1", "other,,,,", "referral,,,,0"), ann)
    assert imported == BudgetImport(None, 3, 0, 0, [])
    assert Operation.objects.count() == 1


def test_terms_that_are_already_set_need_neither_quota_nor_agreement(acme, ann):
    one, other = factories.customer(acme, "one"), factories.customer(acme, "other")
    factories.budget(one, ann, "50", account_freezing=AccountFreezing.AUTOMATIC_WITH_RESOURCES)
    factories.budget(other, ann, "50", BudgetType.MONTHLY)
    give_grant(acme, monthly_quota=None, one_time_quota=factories.MILLION, operator=None)
    imported = import_file(csv_of("one,ONE_TIME,60,AUTOMATIC_WITH_RESOURCES,", "other,MONTHLY,50,AUTOMATIC,0"), ann)
    assert (imported.bad, imported.reviewed) == (0, 1)


def test_with_the_agreement_a_file_can_choose_freezing_of_resources(acme, ann, sign_in):
    factories.customer(acme, "one")
    client = sign_in(ann)
    text = csv_of("one,ONE_TIME,5,AUTOMATIC_WITH_RESOURCES,")
    assert upload(client, text).status_code == 422
    path = upload(client, text, agreement="on")["Location"]
    client.post(path)
    assert terms(Customer.objects.get()) == ("ONE_TIME", Decimal("5.00"), "AUTOMATIC_WITH_RESOURCES")
    assert str(AgreementRecord.objects.get().operation) == path.split("/")[-2]


def test_a_file_over_quota_is_refused_as_a_whole_with_the_figures(acme, ann):
    factories.customer(acme, "one")
    with pytest.raises(
        InvalidRequest,
        match=r"quota is 1,000,000.00 and 0.00 of it is allocated. This change would raise that to 1,000,000.01",
    ):
        import_file(csv_of("one,ONE_TIME,1000000.01,,"), ann)
    assert not Operation.objects.exists()


def test_with_bad_lines_it_also_says_why_the_good_lines_cannot_be_reviewed(acme, ann):
    factories.customer(acme, "one")
    imported = import_file(csv_of("one,ONE_TIME,1000000.01,,", "nobody,ONE_TIME,5,,"), ann)
    assert (imported.operation, imported.bad) == (None, 1)
    assert "This change would raise that to 1,000,000.01" in imported.why_not


def test_unfreezing_a_customer_whose_budget_would_be_exhausted_is_refused(acme, ann):
    one = factories.customer(acme, "one")
    factories.budget(one, ann, "50", unfreeze=False)
    factories.report((one, "2026-09", "60"))
    with pytest.raises(InvalidRequest, match=r"60.00 is used of a budget of 50.00"):
        import_file(csv_of("one,,,,1"), ann)


@pytest.mark.parametrize("who", ["vera", "una", "platform"])
def test_only_people_who_may_set_budgets_can_import_them(who, request):
    with pytest.raises(PermissionRefused):
        import_file(csv_of("one,ONE_TIME,5,,"), request.getfixturevalue(who))


def test_a_distributor_imports_only_where_no_grant_is_given(acme, ungranted, dora):
    factories.customer(acme, "granted")
    ungranted_customer = factories.customer(ungranted, "ungranted")
    imported = import_file(csv_of("granted,ONE_TIME,5,,", "ungranted,ONE_TIME,7,,"), dora)
    assert bad_lines(imported) == {2: "acme-reseller holds the permission to set budgets for this customer."}
    assert imported.operation is not None
    apply_budgets(imported.operation)
    assert factories.stored(ungranted_customer).amount == 7


def test_the_apostrophe_before_a_formula_is_removed(acme, ann):
    customer = factories.customer(acme, "=1+1")
    imported = import_file(csv_of("'=1+1,ONE_TIME,5,,"), ann)
    assert imported.operation is not None
    assert imported.operation.reviewed.get().customer == customer


def test_reviewing_again_keeps_the_files_terms_and_the_edits(acme, ann):
    one, other = factories.customer(acme, "one"), factories.customer(acme, "other")
    imported = import_file(csv_of("one,ONE_TIME,5,,", "other,MONTHLY,6,,"), ann)
    assert imported.operation is not None
    edited = edit_review(imported.operation, amounts={"other": Decimal(8)})
    factories.budget(one, ann, "100")
    again = review_kind(edited).review_again()
    apply_budgets(again)
    assert (terms(one)[1], terms(other)[:2]) == (Decimal("5.00"), ("MONTHLY", Decimal("8.00")))
    assert AdjustmentRecord.objects.filter(batch=again.pk, channel=Channel.IMPORT).count() == 2


def test_progress_is_reported_in_bytes(acme, ann):
    progress: list[int] = []
    content = csv_of(*(f"nobody{n},ONE_TIME,5,," for n in range(100)))
    import_file(content, ann, progress=progress.append)
    assert sum(progress) == len(content)


def test_the_number_of_queries_does_not_grow_with_the_lines(acme, ann):
    counted = []
    for number in (3, 300):
        customers = factories.customers(acme, number)
        with CaptureQueriesContext(connection) as captured:
            import_file(
                csv_of(*(f"{each.customer_id},ONE_TIME,5,," for each in customers), "nobody,,5,,", "nobody,,5,,"), ann
            )
        counted.append(len(captured))
    assert counted[0] == counted[1]


def upload(client: Client, text: str | bytes, **more: str) -> Any:
    content = text if isinstance(text, bytes) else text.encode()
    return client.post(PAGE, {"file": SimpleUploadedFile("budgets.csv", content), **more})


def test_a_good_file_leads_to_a_review_that_can_be_edited_applied_and_undone(acme, ann, sign_in):
    one, other = factories.customer(acme, "one"), factories.customer(acme, "other")
    client = sign_in(ann)
    path = upload(client, csv_of("one,ONE_TIME,5,,", "other,ONE_TIME,6,,"))["Location"]
    assert client.get(path).context["review"].number == 2
    path = client.post(f"{path}edit/", {"leave_out": "one"})["Location"]
    assert "1 budget is set." in client.post(path, follow=True).content.decode()
    assert not Budget.objects.filter(customer=one).exists()
    assert factories.stored(other).amount == 6
    client.post(start_undo(client, path))
    assert not Budget.objects.exists()


def test_bad_lines_are_listed_and_can_be_excluded(acme, borealis, ann, sign_in):
    one = factories.customer(acme, "one")
    factories.customer(borealis, "theirs")
    client = sign_in(ann)
    response = upload(client, csv_of("one,ONE_TIME,5,,", "theirs,ONE_TIME,5,,", "nobody,ONE_TIME,5,,"))
    page = response.content.decode()
    assert response.status_code == 422
    assert "2 lines have errors. Nothing was set." in page
    assert "The review of 1 line is ready." in page
    path = f"/operations/{Operation.objects.get().pk}/"
    assert f'href="{path}">Exclude these lines and review the others' in page
    assert not Budget.objects.exists()
    client.post(path)
    assert factories.stored(one).amount == 5


def test_excluding_bad_lines_in_advance_leads_straight_to_the_review(acme, ann, sign_in):
    factories.customer(acme, "one")
    response = upload(sign_in(ann), csv_of("one,ONE_TIME,5,,", "nobody,ONE_TIME,5,,"), leave_out_bad="1")
    assert response["Location"] == f"/operations/{Operation.objects.get().pk}/"


@pytest.mark.parametrize("leave_out", [{}, {"leave_out_bad": "1"}])
def test_a_file_without_a_good_line_has_no_review(acme, ann, sign_in, leave_out):
    response = upload(sign_in(ann), csv_of("nobody,ONE_TIME,5,,"), **leave_out)
    assert response.status_code == 422
    assert "review the others" not in response.content.decode()
    assert not Operation.objects.exists()


def test_a_file_that_changes_nothing_says_so(acme, ann, sign_in):
    factories.customer(acme, "one")
    client = sign_in(ann)
    assert upload(client, csv_of("one,,,,"))["Location"] == PAGE
    assert "Nothing to change: the line of the file matches the current budget." in client.get(PAGE).content.decode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("customer_id\none\n", "missing columns: amount"),
        (csv_of("one,ONE_TIME,1000000.01,,"), "This change would raise that to 1,000,000.01"),
    ],
)
def test_a_file_refused_as_a_whole_says_why(acme, ann, sign_in, text, message):
    factories.customer(acme, "one")
    response = upload(sign_in(ann), text)
    assert (response.status_code, message in response.content.decode()) == (422, True)
    assert not Operation.objects.exists()


def test_a_file_that_is_too_large_or_missing_is_refused(acme, ann, sign_in, settings):
    settings.UPLOAD_MAX_MEGABYTES = 0
    client = sign_in(ann)
    assert "larger than 0 MB" in upload(client, csv_of()).content.decode()
    assert "Choose a file." in client.post(PAGE).content.decode()


def test_a_stale_review_of_a_file_can_be_reviewed_again(acme, ann, sign_in):
    one, other = factories.customer(acme, "one"), factories.customer(acme, "other")
    client = sign_in(ann)
    path = upload(client, csv_of("one,ONE_TIME,5,,", "other,ONE_TIME,6,,"))["Location"]
    factories.budget(one, ann, "100")
    assert client.post(path).status_code == 409
    again = client.post(f"{path}edit/", {"again": "1"})["Location"]
    client.post(again)
    assert [factories.stored(each).amount for each in (one, other)] == [5, 6]
