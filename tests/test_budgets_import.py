"""Budgets from a CSV file: what its lines may say, what is told of bad ones, the review they become.

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

pytestmark = pytest.mark.clock("2026-09-20 04:00")

PAGE = "/budgets/import/"
HEADER = "customer_id,budget_type,amount,account_freezing,unfreeze_now\n"


def read(text: str | bytes, operator: User, **more: Any) -> BudgetImport:
    content = text if isinstance(text, bytes) else text.encode()
    return review_import("budgets.csv", BytesIO(content), operator=operator, **more)


def lines(*each: str) -> str:
    return HEADER + "".join(f"{line}\n" for line in each)


def reasons(told: BudgetImport) -> dict[int, str]:
    return {bad.line: bad.reason for bad in told.bad_lines}


def terms(customer: Customer) -> tuple[str, Decimal, str]:
    budget = factories.stored(customer)
    return budget.budget_type, budget.amount, budget.account_freezing


def test_each_line_sets_its_own_terms(acme, ann):
    one, other = factories.customer(acme, "one"), factories.customer(acme, "other")
    told = read(lines("one,one_time,1200.50,automatic,yes", 'other,MONTHLY,"2,000",MANUAL,no'), ann)
    assert (told.lines, told.reviewed, told.bad) == (2, 2, 0)
    assert not Budget.objects.exists()
    assert told.operation is not None
    apply_budgets(told.operation)
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
def test_an_empty_cell_leaves_it_as_it_is(acme, ann, line, expected):
    one = factories.customer(acme, "one")
    factories.budget(one, ann, "50", BudgetType.MONTHLY)
    operation = read(lines(line), ann).operation
    assert operation is not None
    apply_budgets(operation)
    kind, amount, policy = terms(one)
    assert (kind, str(amount), policy) == expected


def test_columns_are_found_by_name_and_others_ignored(acme, ann):
    one = factories.customer(acme, "one")
    factories.budget(one, ann, "50")
    operation = read("status,amount,name,customer_id\nx,70,y,one\n", ann).operation
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
def test_bad_lines_are_told_by_number_and_reason(acme, borealis, ann, line, reason):
    give_grant(acme, monthly_quota=None, one_time_quota=factories.MILLION, operator=None)
    for name in ("good", "other"):
        factories.customer(acme, name)
    factories.customer(borealis, "theirs")
    Customer.objects.filter(pk=factories.customer(acme, "left").pk).update(disassociated_on="2026-09-01T00:00:00Z")
    factories.customer(acme, "referral", association_type=Customer.AssociationType.REFERRAL)
    told = read(lines("good,ONE_TIME,5,,", line), ann)
    assert reasons(told) == {3: reason}
    assert (told.lines, told.bad, told.reviewed) == (2, 1, 1)


def test_text_that_is_no_utf8_is_a_bad_line(acme, ann):
    factories.customer(acme, "one")
    told = read(HEADER.encode() + b"one,ONE_TIME,5,,\n\xff\xfe,ONE_TIME,5,,\n", ann)
    assert reasons(told) == {3: "not UTF-8 text"}


def test_numbers_are_those_of_physical_lines(acme, ann):
    factories.customer(acme, "one")
    header = "note,customer_id,budget_type,amount\r\n"
    told = read(f'{header}"a\r\nb",one,ONE_TIME,5\r\n\r\n"c\nd",nobody,ONE_TIME,5\r\n', ann)
    assert (list(reasons(told)), told.reviewed) == ([5], 1)


@pytest.mark.parametrize(
    "lost", ['"other,ONE_TIME,5,,\nthird,ONE_TIME,5,,\n', '"other,ONE_TIME,5,,\nthird,"ONE_TIME,5,,\n']
)
def test_a_quote_that_takes_in_other_lines_refuses_the_file(acme, ann, lost):
    factories.customer(acme, "one")
    with pytest.raises(BadFile) as refused:
        read(f"{HEADER}one,ONE_TIME,5,,\n{lost}", ann)
    assert [str(bad) for bad in refused.value.bad_lines] == [
        "budgets.csv, line 3: broken quoting, or a cell too long (this record runs on to line 4)"
    ]


def test_the_first_hundred_bad_lines_are_told_and_all_counted(acme, ann):
    factories.customer(acme, "one")
    told = read(lines("one,ONE_TIME,5,,", *(f"nobody{n},ONE_TIME,5,," for n in range(250))), ann)
    assert (told.bad, [bad.line for bad in told.bad_lines]) == (250, list(range(3, 103)))


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
    with pytest.raises(BadFile) as refused:
        read(content, ann)
    assert [bad.reason for bad in refused.value.bad_lines] == [reason]


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(acme, ann, settings):
    settings.UPLOAD_MAX_MEGABYTES = 1
    bomb = gzip.compress(lines("one,ONE_TIME,5,,").encode() + bytes(51 * 2**20))
    assert len(bomb) < 2**20
    with pytest.raises(BadFile, match="unpacks to more than 50 MB"):
        read(bomb, ann)


@pytest.mark.parametrize("wrap", [lambda text: b"\xef\xbb\xbf" + text, gzip.compress, lambda text: text[:-1]])
def test_a_byte_order_mark_gzip_and_no_last_line_end_are_all_fine(acme, ann, wrap):
    factories.customer(acme, "one")
    assert read(wrap(lines("one,ONE_TIME,5,,").encode()), ann).reviewed == 1


def test_a_line_that_changes_nothing_is_no_error_and_not_in_the_review(acme, ann):
    one, other = factories.customer(acme, "one"), factories.customer(acme, "other")
    factories.customer(acme, "referral", association_type=Customer.AssociationType.REFERRAL)
    factories.budget([one, other], ann, "50", BudgetType.MONTHLY)
    told = read(lines("one,MONTHLY,50,AUTOMATIC,1", "other,,,,", "referral,,,,0"), ann)
    assert told == BudgetImport(None, 3, 0, 0, [])
    assert Operation.objects.count() == 1


def test_what_stands_needs_neither_quota_nor_choice(acme, ann):
    one, other = factories.customer(acme, "one"), factories.customer(acme, "other")
    factories.budget(one, ann, "50", account_freezing=AccountFreezing.AUTOMATIC_WITH_RESOURCES)
    factories.budget(other, ann, "50", BudgetType.MONTHLY)
    give_grant(acme, monthly_quota=None, one_time_quota=factories.MILLION, operator=None)
    told = read(lines("one,ONE_TIME,60,AUTOMATIC_WITH_RESOURCES,", "other,MONTHLY,50,AUTOMATIC,0"), ann)
    assert (told.bad, told.reviewed) == (0, 1)


def test_with_the_agreement_a_file_chooses_to_freeze_resources(acme, ann, sign_in):
    factories.customer(acme, "one")
    client = sign_in(ann)
    text = lines("one,ONE_TIME,5,AUTOMATIC_WITH_RESOURCES,")
    assert upload(client, text).status_code == 422
    path = upload(client, text, agreement="on")["Location"]
    client.post(path)
    assert terms(Customer.objects.get()) == ("ONE_TIME", Decimal("5.00"), "AUTOMATIC_WITH_RESOURCES")
    assert str(AgreementRecord.objects.get().operation) == path.split("/")[-2]


def test_over_quota_is_refused_as_a_whole_by_its_figures(acme, ann):
    factories.customer(acme, "one")
    with pytest.raises(
        InvalidRequest,
        match=r"quota is 1,000,000.00 and 0.00 of it is allocated. This change would raise that to 1,000,000.01",
    ):
        read(lines("one,ONE_TIME,1000000.01,,"), ann)
    assert not Operation.objects.exists()


def test_beside_bad_lines_it_is_told_why_the_good_ones_cannot_be_reviewed_either(acme, ann):
    factories.customer(acme, "one")
    told = read(lines("one,ONE_TIME,1000000.01,,", "nobody,ONE_TIME,5,,"), ann)
    assert (told.operation, told.bad) == (None, 1)
    assert "This change would raise that to 1,000,000.01" in told.why_not


def test_unfreezing_one_whose_budget_would_be_used_up_is_refused(acme, ann):
    one = factories.customer(acme, "one")
    factories.budget(one, ann, "50", unfreeze=False)
    factories.report((one, "2026-09", "60"))
    with pytest.raises(InvalidRequest, match=r"60.00 is used of a budget of 50.00"):
        read(lines("one,,,,1"), ann)


@pytest.mark.parametrize("who", ["vera", "una", "platform"])
def test_who_may_set_no_budget_imports_none(who, request):
    with pytest.raises(PermissionRefused):
        read(lines("one,ONE_TIME,5,,"), request.getfixturevalue(who))


def test_a_distributor_imports_where_no_grant_is_given(acme, ungranted, dora):
    factories.customer(acme, "granted")
    free = factories.customer(ungranted, "free")
    told = read(lines("granted,ONE_TIME,5,,", "free,ONE_TIME,7,,"), dora)
    assert reasons(told) == {2: "acme-reseller holds the permission to set budgets for this customer."}
    assert told.operation is not None
    apply_budgets(told.operation)
    assert factories.stored(free).amount == 7


def test_a_formula_start_loses_its_apostrophe(acme, ann):
    customer = factories.customer(acme, "=1+1")
    told = read(lines("'=1+1,ONE_TIME,5,,"), ann)
    assert told.operation is not None
    assert told.operation.reviewed.get().customer == customer


def test_reviewing_again_keeps_what_the_file_and_the_edits_said(acme, ann):
    one, other = factories.customer(acme, "one"), factories.customer(acme, "other")
    told = read(lines("one,ONE_TIME,5,,", "other,MONTHLY,6,,"), ann)
    assert told.operation is not None
    edited = edit_review(told.operation, amounts={"other": Decimal(8)})
    factories.budget(one, ann, "100")
    again = review_kind(edited).review_again()
    apply_budgets(again)
    assert (terms(one)[1], terms(other)[:2]) == (Decimal("5.00"), ("MONTHLY", Decimal("8.00")))
    assert AdjustmentRecord.objects.filter(batch=again.pk, channel=Channel.IMPORT).count() == 2


def test_progress_is_told_in_bytes(acme, ann):
    told: list[int] = []
    content = lines(*(f"nobody{n},ONE_TIME,5,," for n in range(100)))
    read(content, ann, progress=told.append)
    assert sum(told) == len(content)


def test_the_number_of_queries_does_not_grow_with_the_lines(acme, ann):
    counted = []
    for number in (3, 300):
        customers = factories.customers(acme, number)
        with CaptureQueriesContext(connection) as captured:
            read(lines(*(f"{each.customer_id},ONE_TIME,5,," for each in customers), "nobody,,5,,", "nobody,,5,,"), ann)
        counted.append(len(captured))
    assert counted[0] == counted[1]


def upload(client: Client, text: str | bytes, **more: str) -> Any:
    content = text if isinstance(text, bytes) else text.encode()
    return client.post(PAGE, {"file": SimpleUploadedFile("budgets.csv", content), **more})


def test_a_good_file_leads_to_the_same_review_as_any_batch(acme, ann, sign_in):
    one, other = factories.customer(acme, "one"), factories.customer(acme, "other")
    client = sign_in(ann)
    path = upload(client, lines("one,ONE_TIME,5,,", "other,ONE_TIME,6,,"))["Location"]
    assert client.get(path).context["review"].number == 2
    path = client.post(f"{path}edit/", {"leave_out": "one"})["Location"]
    assert "1 budget is set." in client.post(path, follow=True).content.decode()
    assert not Budget.objects.filter(customer=one).exists()
    assert factories.stored(other).amount == 6
    undo = client.post(f"/budgets/batches/{path.split('/')[-2]}/undo/")["Location"]
    client.post(undo)
    assert not Budget.objects.exists()


def test_bad_lines_are_listed_and_left_out_by_choice(acme, borealis, ann, sign_in):
    one = factories.customer(acme, "one")
    factories.customer(borealis, "theirs")
    client = sign_in(ann)
    answer = upload(client, lines("one,ONE_TIME,5,,", "theirs,ONE_TIME,5,,", "nobody,ONE_TIME,5,,"))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "2 lines have errors. Nothing was set." in page
    assert "The review of 1 line is ready." in page
    path = f"/operations/{Operation.objects.get().pk}/"
    assert f'href="{path}">Exclude these lines and review the others' in page
    assert not Budget.objects.exists()
    client.post(path)
    assert factories.stored(one).amount == 5


def test_leave_out_bad_leads_straight_to_the_review(acme, ann, sign_in):
    factories.customer(acme, "one")
    answer = upload(sign_in(ann), lines("one,ONE_TIME,5,,", "nobody,ONE_TIME,5,,"), leave_out_bad="1")
    assert answer["Location"] == f"/operations/{Operation.objects.get().pk}/"


@pytest.mark.parametrize("leave_out", [{}, {"leave_out_bad": "1"}])
def test_where_no_good_line_remains_there_is_no_review(acme, ann, sign_in, leave_out):
    answer = upload(sign_in(ann), lines("nobody,ONE_TIME,5,,"), **leave_out)
    assert answer.status_code == 422
    assert "review the others" not in answer.content.decode()
    assert not Operation.objects.exists()


def test_a_file_that_changes_nothing_says_so(acme, ann, sign_in):
    factories.customer(acme, "one")
    client = sign_in(ann)
    assert upload(client, lines("one,,,,"))["Location"] == PAGE
    assert "Nothing to change: the line of the file matches the current budget." in client.get(PAGE).content.decode()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("customer_id\none\n", "missing columns: amount"),
        (lines("one,ONE_TIME,1000000.01,,"), "This change would raise that to 1,000,000.01"),
    ],
)
def test_a_file_refused_as_a_whole_says_why(acme, ann, sign_in, text, told):
    factories.customer(acme, "one")
    answer = upload(sign_in(ann), text)
    assert (answer.status_code, told in answer.content.decode()) == (422, True)
    assert not Operation.objects.exists()


def test_a_file_too_large_or_none_at_all_is_refused(acme, ann, sign_in, settings):
    settings.UPLOAD_MAX_MEGABYTES = 0
    client = sign_in(ann)
    assert "larger than 0 MB" in upload(client, lines()).content.decode()
    assert "Choose a file." in client.post(PAGE).content.decode()


def test_the_review_of_a_file_that_went_stale_is_told_and_reviewed_again(acme, ann, sign_in):
    one, other = factories.customer(acme, "one"), factories.customer(acme, "other")
    client = sign_in(ann)
    path = upload(client, lines("one,ONE_TIME,5,,", "other,ONE_TIME,6,,"))["Location"]
    factories.budget(one, ann, "100")
    assert client.post(path).status_code == 409
    again = client.post(f"{path}edit/", {"again": "1"})["Location"]
    client.post(again)
    assert [factories.stored(each).amount for each in (one, other)] == [5, 6]
