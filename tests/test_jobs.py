"""Work that takes long: done at once, or left to a worker; ended once, startable again, never done twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from budgets.actions.reviews import review_budgets
from budgets.actions.terms import BudgetTerms
from budgets.models import AdjustmentRecord, Budget, ExpenditureReport
from budgets.months import month_name, month_of
from budgets.presenters import messages
from customers.models import AccountFreezing, Customer
from partnercenter.actions import jobs
from partnercenter.actions.partners import give_grant
from partnercenter.models import AcceptedCode, BudgetType, Confirmation, Job, User
from tests import factories

TERMS = {"budget_type": "ONE_TIME", "amount": "100", "account_freezing": "AUTOMATIC"}
UPLOAD = "/customers/expenditure/"


@pytest.fixture
def worker(settings) -> Any:
    """What takes long is left to a worker; called, it works off what waits, as `manage.py db_worker` does."""
    settings.TASKS_BACKEND = "database"
    settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
    return lambda: call_command("db_worker", batch=True, reload=False, startup_delay=False, interval=0, verbosity=0)


@pytest.fixture
def few(monkeypatch) -> None:
    """Two customers are worth a worker."""
    monkeypatch.setattr(jobs, "WORKER_THRESHOLD", 1)


def review(customers: list[Customer], operator: User) -> str:
    """A review that waits for its OK; its path."""
    chosen = Customer.objects.filter(pk__in=[each.pk for each in customers])
    terms = BudgetTerms(BudgetType.ONE_TIME, Decimal(100), AccountFreezing.AUTOMATIC)
    return f"/operations/{review_budgets(chosen, terms, operator=operator, unfreeze=False).pk}/"


def report(*lines: str) -> SimpleUploadedFile:
    month = month_name(month_of(timezone.now()))
    text = "customer_id,month,list_price_total\n" + "".join(f"{line.replace('MONTH', month)}\n" for line in lines)
    return SimpleUploadedFile("plain.csv", text.encode())


def in_files() -> list[Path]:
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


@pytest.fixture(autouse=True)
def uploads(settings, tmp_path) -> None:
    settings.MEDIA_ROOT = tmp_path


def test_without_a_worker_a_large_batch_is_done_when_ok_answers(client, three, ann, few):
    path = review(three, ann)
    page = client.post(path, follow=True)
    assert "3 budgets are set." in page.content.decode()
    job = Job.objects.get()
    assert (job.state, job.link) == ("DONE", f"/budgets/batches/{path.split('/')[2]}/")
    assert "3 budgets are set." in client.get(f"/jobs/{job.pk}/").content.decode()


def test_a_worker_sets_a_large_batch_once_and_its_page_says_so(client, three, ann, few, worker, transactional_db):
    path = review(three, ann)
    page = client.post(path)["Location"]
    again = client.post(path)["Location"]
    assert page == again == f"/jobs/{Job.objects.get().pk}/"
    assert not Budget.objects.exists()
    waiting = client.get(page).content.decode()
    assert "Waiting" in waiting
    assert 'hx-trigger="every 1s"' in waiting
    worker()
    assert Budget.objects.count() == 3
    done = client.get(page).content.decode()
    assert "3 budgets are set." in done
    assert "every 1s" not in done
    assert f'href="/budgets/batches/{path.split("/")[2]}/"' in done
    assert client.post(path).status_code == 409
    assert AdjustmentRecord.objects.count() == 3


@pytest.mark.parametrize("chosen", ["ticked", "all_matching"])
def test_a_worker_makes_the_review_of_many(client, three, few, worker, chosen, transactional_db):
    who = {"customer": [each.customer_id for each in three]} if chosen == "ticked" else {"all_matching": "1"}
    page = client.post("/budgets/set/?sort=-usage", {**who, **TERMS})["Location"]
    assert page == f"/jobs/{Job.objects.get().pk}/"
    worker()
    job = client.get(page).context["job"]
    assert "Nothing is set until you confirm it." in job.message
    assert client.get(job.link).context["review"].number == 3
    assert not Budget.objects.exists()


def test_a_worker_counts_days_where_the_partner_is(client, three, few, worker, transactional_db):
    # Already the 23rd in Shanghai.
    Customer.objects.update(associated_on="2026-09-22T17:00:00Z")
    page = client.post("/budgets/set/?associated_after=2026-09-23", {"all_matching": "1", **TERMS})["Location"]
    worker()
    assert client.get(client.get(page).context["job"].link).context["review"].number == 3


def test_a_review_that_is_refused_says_why(client, three, acme, few, worker, transactional_db):
    give_grant(acme, monthly_quota=None, one_time_quota=Decimal(250), operator=None)
    answer = client.post("/budgets/set/", {"customer": [each.customer_id for each in three], **TERMS})
    worker()
    job = client.get(answer["Location"]).context["job"]
    assert (job.state, job.status) == ("REFUSED", 422)
    assert "250.00" in job.message


def test_a_small_batch_waits_for_no_worker(client, three, ann, worker):
    client.post(review(three, ann))
    assert Budget.objects.count() == 3
    assert not Job.objects.exists()


def test_its_code_is_asked_for_once_and_is_good_until_it_is_set(
    client, three, acme, ann, few, worker, mailoutbox, transactional_db
):
    type(acme).objects.update(verification_required=True)
    path = review(three, ann)
    client.post(f"{path}code/")
    assert client.post(path).status_code == 422
    assert not Job.objects.exists()
    code = next(word for word in mailoutbox[0].body.split() if word.isdigit() and len(word) == 6)
    page = client.post(path, {"verification_code": code})["Location"]
    factories.budget(three[0], ann, "7")
    worker()
    refused = client.get(page)
    assert refused.context["job"].state == "REFUSED"
    assert f'href="{path}"' in refused.content.decode()
    # The code was right: the unchanged are set without another.
    client.post(path, {"apply": "unchanged"})
    worker()
    assert [budget.amount for budget in Budget.objects.order_by("customer")] == [Decimal(7), Decimal(100), Decimal(100)]
    assert Confirmation.objects.get(operation__id=path.split("/")[2]).how == "EMAIL"
    assert AcceptedCode.objects.count() == 1


def test_what_changed_before_ok_is_told_before_the_code_and_without_a_job(client, three, ann, few, worker):
    path = review(three, ann)
    factories.budget(three[0], ann, "7")
    assert client.post(path).status_code == 409
    assert not Job.objects.exists()


def test_what_changed_since_the_review_is_409_where_there_is_no_worker(client, three, ann, few):
    path = review(three, ann)
    factories.budget(three[0], ann, "7")
    # Without a worker and a code nothing is compared before the locks are taken: the job is refused.
    assert client.post(path).status_code == 409
    assert Job.objects.get().state == "REFUSED"
    assert Budget.objects.count() == 1


def test_a_revoked_grant_refuses_the_job(client, three, ann, acme, few, worker, transactional_db):
    path = review(three, ann)
    page = client.post(path)["Location"]
    give_grant(acme, monthly_quota=None, one_time_quota=None, operator=None)
    worker()
    job = client.get(page).context["job"]
    assert (job.state, job.status) == ("REFUSED", 403)
    assert not Budget.objects.exists()


def test_a_report_is_taken_in_by_the_worker_of_when_it_was_sent(client, three, ann, worker, transactional_db):
    factories.budget(three[0], ann, "100")
    page = client.post(UPLOAD, {"file": report(f"{three[0].customer_id},MONTH,60.00")})["Location"]
    sent = Job.objects.get().created_at
    assert len(in_files()) == 1
    worker()
    assert factories.stored(three[0]).used == Decimal("60.00")
    taken = ExpenditureReport.objects.get()
    assert taken.reported_at == sent
    assert f'href="{UPLOAD}{taken.pk}/"' in client.get(page).content.decode()
    assert not in_files()


def test_a_worker_reads_a_file_of_budgets(client, three, worker, transactional_db):
    text = (
        "customer_id,budget_type,amount\n" + "".join(f"{each.customer_id},MONTHLY,5\n" for each in three) + "nobody,,\n"
    )
    page = client.post("/budgets/import/", {"file": SimpleUploadedFile("b.csv", text.encode())})["Location"]
    worker()
    shown = client.get(page)
    assert shown.context["job"].problems == ["b.csv, line 5: 'nobody' is not the ID of one of your customers"]
    assert "Exclude these lines and review the others" in shown.content.decode()
    client.post(shown.context["job"].link)
    assert [budget.amount for budget in Budget.objects.all()] == [Decimal(5)] * 3
    assert not in_files()


def test_bad_lines_of_a_report_are_on_the_page_of_the_job(client, worker, transactional_db):
    page = client.post(UPLOAD, {"file": report("x,MONTH,much", "y,MONTH,more")})["Location"]
    worker()
    shown = client.get(page)
    assert [problem[:17] for problem in shown.context["job"].problems] == ["plain.csv, line 2", "plain.csv, line 3"]
    assert "Nothing was changed. Correct the errors" in shown.content.decode()
    assert not in_files()


def test_only_who_started_it_sees_a_job(client, three, ann, few, worker, sign_in, ben, carl):
    page = client.post(review(three, ann))["Location"]
    for person in (ben, carl):
        assert sign_in(person).get(page).status_code == 404
        assert sign_in(person).post(f"{page}again/").status_code == 404


def test_what_is_being_carried_out_cannot_be_changed_any_more(client, three, ann, few, worker, transactional_db):
    path = review(three, ann)
    page = client.post(path)["Location"]
    assert "is being carried out" in client.get(path).content.decode()
    assert client.post(f"{path}edit/", {"leave_out": three[0].customer_id}).status_code == 422
    assert client.post(path, {f"amount_{three[0].customer_id}": "5"}).status_code == 422
    assert client.post(path)["Location"] == page, "pressed twice it is the same"
    worker()
    assert client.get(page).context["job"].state == "DONE"


def test_work_that_nobody_has_begun_says_so(client, three, ann, few, worker):
    page = client.post(review(three, ann))["Location"]
    Job.objects.update(alive_at=timezone.now() - timedelta(minutes=2))
    assert "No worker has started this for a minute" in client.get(page).content.decode()


def test_work_that_goes_on_is_not_started_again(client, three, ann, few, worker):
    page = client.post(review(three, ann))["Location"]
    answer = client.post(f"{page}again/", follow=True)
    assert "it cannot be started again" in answer.content.decode()
    assert DBTaskResult.objects.count() == 1


def test_a_job_whose_worker_died_is_started_again_and_done_once(client, three, ann, few, worker, transactional_db):
    page = client.post(review(three, ann))["Location"]
    Job.objects.update(alive_at=timezone.now() - timedelta(minutes=2), state="APPLYING")
    assert "has not reported for a minute" in client.get(page).content.decode()
    client.post(f"{page}again/")
    assert DBTaskResult.objects.count() == 2
    worker()
    assert client.get(page).context["job"].state == "DONE"
    assert AdjustmentRecord.objects.count() == 3
    assert Confirmation.objects.count() == 1


def test_a_second_run_that_is_refused_undoes_nothing_of_the_first(
    client, three, ann, few, worker, monkeypatch, transactional_db
):
    page = client.post(review(three, ann))["Location"]
    message_for_batch = messages.message_for_batch

    def refused_meanwhile(*given: Any) -> str:
        Job.objects.update(state="REFUSED", finished_at=timezone.now(), message="LockTimeout", status=409)
        return message_for_batch(*given)

    monkeypatch.setattr(messages, "message_for_batch", refused_meanwhile)
    worker()
    assert client.get(page).context["job"].state == "DONE"
    assert Budget.objects.count() == 3


def test_an_error_that_nobody_foresaw_is_told_and_changes_nothing(
    client, three, ann, few, worker, monkeypatch, transactional_db
):
    page = client.post(review(three, ann))["Location"]
    monkeypatch.setattr(messages, "message_for_batch", lambda *args: 1 / 0)
    worker()
    assert "An error stopped the job. Nothing was changed." in client.get(page).content.decode()
    assert not Budget.objects.exists()


def test_the_own_work_of_the_day_is_on_budget_batches(client, three, ann, few, worker, sign_in, ben):
    page = client.post(review(three, ann))["Location"]
    assert f'href="{page}"' in client.get("/budgets/batches/").content.decode()
    assert f'href="{page}"' not in sign_in(ben).get("/budgets/batches/").content.decode()


STOP = """
import time
import django
django.setup()
from django.core.management import call_command
from django.db import connection
from django.db.backends.utils import CursorWrapper

def stop(execute, sql, params, many, context):
    result = execute(sql, params, many, context)
    if sql.startswith("INSERT INTO") and "budgets_adjustmentrecord" in sql:
        print("in the middle", flush=True)
        time.sleep(60)
    return result

with connection.execute_wrapper(stop):
    call_command("db_worker", batch=True, reload=False, startup_delay=False, interval=0)
"""


@pytest.mark.postgres
def test_a_worker_killed_in_the_middle_leaves_nothing_half_done(client, three, ann, few, worker, transactional_db):
    page = client.post(review(three, ann))["Location"]
    database = connection.settings_dict
    url = f"postgres://{database['USER']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    child = subprocess.Popen(
        [sys.executable, "-c", STOP],
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "TEST_"))},
            "DATABASE_URL": url,
            "TASKS_BACKEND": "database",
            "DJANGO_SETTINGS_MODULE": "partnercenter.settings",
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "in the middle"
        _until(lambda: client.get(page).context["job"].state == "APPLYING")
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    _until(_nobody_holds_anything)
    assert not AdjustmentRecord.objects.exists()
    assert not Budget.objects.exists()
    assert client.get(page).context["job"].finished_at is None
    Job.objects.update(alive_at=timezone.now() - timedelta(minutes=2))
    client.post(f"{page}again/")
    worker()
    assert client.get(page).context["job"].state == "DONE"
    assert Budget.objects.count() == 3


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.1)


def _nobody_holds_anything() -> bool:
    """The server has noticed that the client is gone."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
        )
        return not cursor.fetchone()[0]
