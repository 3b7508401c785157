"""Jobs: long work is done in the request or by a worker, can be started again if it stopped, and is done only once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from budgets import tasks
from budgets.models import AdjustmentRecord, Budget, ExpenditureReport
from budgets.months import month_name, month_of
from budgets.presenters import messages
from customers.models import Customer
from partnercenter.actions import jobs
from partnercenter.actions.partners import give_grant
from partnercenter.models import AcceptedCode, Confirmation, Job, User
from tests import factories
from tests.pages import ONE_TIME, batch_of, customer_ids

UPLOAD = "/customers/expenditure/"


@pytest.fixture
def worker(settings) -> Any:
    """Long work is left to a worker; calling this fixture does the waiting work, as `manage.py worker` does."""
    settings.TASKS_BACKEND = "database"
    settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
    return lambda: call_command("worker", batch=True)


@pytest.fixture
def low_threshold(monkeypatch) -> None:
    """Two customers are enough for a job."""
    monkeypatch.setattr(jobs, "WORKER_THRESHOLD", 1)


def review(customers: list[Customer], operator: User) -> str:
    """The path of a review that waits for its OK."""
    return f"/operations/{factories.reviewed(customers, operator, '100', unfreeze=False).pk}/"


def report(*lines: str) -> SimpleUploadedFile:
    """A plain report with these lines; MONTH stands for the current month."""
    month = month_name(month_of(timezone.now()))
    text = "customer_id,month,list_price_total\n" + "".join(f"{line.replace('MONTH', month)}\n" for line in lines)
    return SimpleUploadedFile("plain.csv", text.encode())


def stored_uploads() -> list[Path]:
    """The uploaded files that wait for a worker."""
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


@pytest.fixture(autouse=True)
def upload_folder(settings, tmp_path) -> None:
    settings.MEDIA_ROOT = tmp_path


def test_without_a_worker_a_large_batch_is_done_within_the_request(client, three, ann, low_threshold):
    path = review(three, ann)
    page = client.post(path, follow=True)
    assert "3 budgets are set." in page.content.decode()
    job = Job.objects.get()
    assert (job.state, job.link) == ("DONE", batch_of(path))
    assert "3 budgets are set." in client.get(f"/jobs/{job.pk}/").content.decode()


def test_a_worker_sets_a_large_batch_once_and_its_page_says_so(
    client, three, ann, low_threshold, worker, transactional_db
):
    path = review(three, ann)
    page = client.post(path)["Location"]
    again = client.post(path)["Location"]
    assert page == again == f"/jobs/{Job.objects.get().pk}/"
    assert not Budget.objects.exists()
    content = client.get(page).content.decode()
    assert "Waiting" in content
    assert 'hx-trigger="every 1s"' in content
    worker()
    assert Budget.objects.count() == 3
    content = client.get(page).content.decode()
    assert "3 budgets are set." in content
    assert "every 1s" not in content
    assert f'href="{batch_of(path)}"' in content
    assert client.post(path).status_code == 409
    assert AdjustmentRecord.objects.count() == 3


@pytest.mark.parametrize("selection", ["ticked", "all_matching"])
def test_a_worker_makes_the_review_of_many_customers(client, three, low_threshold, worker, selection, transactional_db):
    customers = {"customer": customer_ids(three)} if selection == "ticked" else {"all_matching": "1"}
    page = client.post("/budgets/set/?sort=-usage", {**customers, **ONE_TIME})["Location"]
    assert page == f"/jobs/{Job.objects.get().pk}/"
    worker()
    job = client.get(page).context["job"]
    assert "Nothing is set until you confirm it." in job.message
    assert client.get(job.link).context["review"].number == 3
    assert not Budget.objects.exists()


def test_a_worker_filters_by_days_in_the_partners_time_zone(client, three, low_threshold, worker, transactional_db):
    # Already the 23rd in Shanghai.
    Customer.objects.update(associated_on="2026-09-22T17:00:00Z")
    page = client.post("/budgets/set/?associated_after=2026-09-23", {"all_matching": "1", **ONE_TIME})["Location"]
    worker()
    assert client.get(client.get(page).context["job"].link).context["review"].number == 3


def test_a_review_that_is_refused_says_why(client, three, acme, low_threshold, worker, transactional_db):
    give_grant(acme, monthly_quota=None, one_time_quota=Decimal(250), operator=None)
    response = client.post("/budgets/set/", {"customer": customer_ids(three), **ONE_TIME})
    worker()
    job = client.get(response["Location"]).context["job"]
    assert (job.state, job.status) == ("REFUSED", 422)
    assert "250.00" in job.message


def test_a_small_batch_is_done_in_the_request(client, three, ann, worker):
    client.post(review(three, ann))
    assert Budget.objects.count() == 3
    assert not Job.objects.exists()


def test_a_code_is_asked_for_once_and_stays_valid_until_the_batch_is_set(
    client, three, acme, ann, low_threshold, worker, mailoutbox, transactional_db
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
    # The code was right, so the unchanged customers are set without another one.
    client.post(path, {"apply": "unchanged"})
    worker()
    assert [budget.amount for budget in Budget.objects.order_by("customer")] == [Decimal(7), Decimal(100), Decimal(100)]
    assert Confirmation.objects.get(operation__id=path.split("/")[2]).how == "EMAIL"
    assert AcceptedCode.objects.count() == 1


def test_a_stale_review_is_refused_without_starting_a_job(client, three, ann, low_threshold, worker):
    path = review(three, ann)
    factories.budget(three[0], ann, "7")
    assert client.post(path).status_code == 409
    assert not Job.objects.exists()


def test_without_a_worker_a_stale_review_is_refused_with_409(client, three, ann, low_threshold):
    path = review(three, ann)
    factories.budget(three[0], ann, "7")
    # Without a worker and a code nothing is compared before the locks are taken: a job starts and is refused.
    assert client.post(path).status_code == 409
    assert Job.objects.get().state == "REFUSED"
    assert Budget.objects.count() == 1


def test_a_revoked_grant_refuses_the_job(client, three, ann, acme, low_threshold, worker, transactional_db):
    path = review(three, ann)
    page = client.post(path)["Location"]
    give_grant(acme, monthly_quota=None, one_time_quota=None, operator=None)
    worker()
    job = client.get(page).context["job"]
    assert (job.state, job.status) == ("REFUSED", 403)
    assert not Budget.objects.exists()


def test_a_report_imported_by_a_worker_has_the_time_at_which_it_was_sent(client, three, ann, worker, transactional_db):
    factories.budget(three[0], ann, "100")
    page = client.post(UPLOAD, {"file": report(f"{three[0].customer_id},MONTH,60.00")})["Location"]
    sent = Job.objects.get().created_at
    assert len(stored_uploads()) == 1
    worker()
    assert factories.stored(three[0]).used == Decimal("60.00")
    imported = ExpenditureReport.objects.get()
    assert imported.reported_at == sent
    assert f'href="{UPLOAD}{imported.pk}/"' in client.get(page).content.decode()
    assert not stored_uploads()


def test_a_worker_imports_a_file_of_budgets(client, three, worker, transactional_db):
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
    assert not stored_uploads()


def test_bad_lines_of_a_report_are_listed_on_the_page_of_the_job(client, worker, transactional_db):
    page = client.post(UPLOAD, {"file": report("x,MONTH,much", "y,MONTH,more")})["Location"]
    worker()
    shown = client.get(page)
    assert [problem[:17] for problem in shown.context["job"].problems] == ["plain.csv, line 2", "plain.csv, line 3"]
    assert "not imported. Correct the errors" in shown.content.decode()
    assert not stored_uploads()


def test_a_job_is_seen_by_its_operator_and_the_companys_administrators_only(
    three, ann, low_threshold, worker, sign_in, ben, carl, vera
):
    page = sign_in(ben).post(review(three, ben))["Location"]
    shown = sign_in(ann).get(page).content.decode()
    assert "Started by ben." in shown
    assert f'href="{page}"' in sign_in(ann).get("/budgets/batches/").content.decode()
    for person in (vera, carl):
        assert sign_in(person).get(page).status_code == 404
        assert sign_in(person).post(f"{page}again/").status_code == 404
        assert f'href="{page}"' not in sign_in(person).get("/budgets/batches/").content.decode()


def test_an_administrator_starts_a_colleagues_silent_job_again(
    three, ann, ben, low_threshold, worker, sign_in, transactional_db
):
    page = sign_in(ben).post(review(three, ben))["Location"]
    DBTaskResult.objects.update(status="RUNNING")
    silence(state="APPLYING", token=uuid4())
    sign_in(ann).post(f"{page}again/")
    worker()
    shown = sign_in(ann).get(page)
    assert shown.context["job"].state == "DONE"
    # The link leads to the review of a batch, or to a batch: only the operator is sent there.
    assert 'id="job-link"' not in shown.content.decode()
    assert 'id="job-link"' in sign_in(ben).get(page).content.decode()


def test_platform_staff_see_all_jobs_and_start_silent_ones_again(
    three, ann, low_threshold, worker, sign_in, platform, dora, transactional_db
):
    sign_in(ann).post(review(three, ann))
    jobs_page, client = "/admin/partnercenter/job/", sign_in(platform)
    chosen = {"action": "start_again", "_selected_action": [str(Job.objects.get().pk)]}
    assert "cannot be started again" in client.post(jobs_page, chosen, follow=True).content.decode()
    DBTaskResult.objects.update(status="RUNNING")
    silence(state="APPLYING", token=uuid4())
    assert "was started again" in client.post(jobs_page, chosen, follow=True).content.decode()
    worker()
    assert Job.objects.get().title in client.get(f"{jobs_page}?state__exact=DONE").content.decode()
    assert client.get(f"{jobs_page}add/").status_code == 403
    assert sign_in(dora).get(jobs_page).status_code == 403


def test_an_upload_whose_files_are_gone_fails_and_says_so(client, worker, transactional_db):
    page = client.post(UPLOAD, {"file": report("x,MONTH,1")})["Location"]
    for path in stored_uploads():
        path.unlink()
    worker()
    assert "The uploaded files are missing, so nothing was changed." in client.get(page).content.decode()
    assert Job.objects.get().state == "FAILED"


def test_a_report_of_a_job_without_files_fails_instead_of_importing_nothing(client, ann, worker, transactional_db):
    job = jobs.start_job(tasks.take_in, "Customer Expenditure", operator=ann)
    worker()
    assert "The uploaded files are missing" in client.get(f"/jobs/{job.pk}/").content.decode()
    assert not ExpenditureReport.objects.exists()


@pytest.fixture
def full_disk(settings, tmp_path) -> Iterator[Path]:
    """Uploads go to a file system of 64 KB of its own."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small file system")
    settings.MEDIA_ROOT = folder
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("runs_later", [True, False])
def test_an_upload_to_a_full_disk_is_refused_in_words_and_leaves_nothing_behind(client, full_disk, runs_later, request):
    if runs_later:
        request.getfixturevalue("worker")
    large = report(*(f"customer-{number},MONTH,1" for number in range(10_000)))
    response = client.post(UPLOAD, {"file": large})
    assert response.status_code == 507
    assert "the disk of the console is full" in response.content.decode()
    assert not Job.objects.exists()
    assert not DBTaskResult.objects.exists()
    assert list(full_disk.iterdir()) == []


def test_the_folder_of_an_upload_goes_with_its_files(client, three, worker, transactional_db):
    client.post(UPLOAD, {"file": report(f"{three[0].customer_id},MONTH,60.00")})
    worker()
    assert list(Path(settings.MEDIA_ROOT).iterdir()) == []


def test_an_operation_being_carried_out_cannot_be_edited(client, three, ann, low_threshold, worker, transactional_db):
    path = review(three, ann)
    page = client.post(path)["Location"]
    assert "is being carried out" in client.get(path).content.decode()
    assert client.post(f"{path}edit/", {"leave_out": three[0].customer_id}).status_code == 422
    assert client.post(path, {f"amount_{three[0].customer_id}": "5"}).status_code == 422
    assert client.post(path)["Location"] == page, "pressing OK twice starts one job"
    worker()
    assert client.get(page).context["job"].state == "DONE"


def test_a_job_that_no_worker_has_started_says_so(client, three, ann, low_threshold, worker):
    page = client.post(review(three, ann))["Location"]
    Job.objects.update(alive_at=timezone.now() - timedelta(minutes=2))
    assert "No worker has started this for a minute" in client.get(page).content.decode()


def test_a_running_job_cannot_be_started_again(client, three, ann, low_threshold, worker):
    page = client.post(review(three, ann))["Location"]
    response = client.post(f"{page}again/", follow=True)
    assert "it cannot be started again" in response.content.decode()
    assert DBTaskResult.objects.count() == 1


def test_a_job_whose_worker_died_can_be_started_again_and_is_done_once(
    client, three, ann, low_threshold, worker, transactional_db
):
    page = client.post(review(three, ann))["Location"]
    Job.objects.update(alive_at=timezone.now() - timedelta(minutes=2), state="APPLYING")
    assert "has not reported for a minute" in client.get(page).content.decode()
    client.post(f"{page}again/")
    assert DBTaskResult.objects.count() == 2
    worker()
    assert client.get(page).context["job"].state == "DONE"
    assert AdjustmentRecord.objects.count() == 3
    assert Confirmation.objects.count() == 1


def silence(**values: Any) -> None:
    """Let two minutes pass since the last sign of life of every job."""
    Job.objects.update(alive_at=timezone.now() - timedelta(minutes=2), **values)


@pytest.mark.postgres
def test_a_run_that_wakes_up_after_it_was_taken_over_changes_nothing(
    client, three, ann, low_threshold, worker, monkeypatch, transactional_db
):
    page = client.post(review(three, ann))["Location"]
    message_for_batch = messages.message_for_batch

    def take_over() -> None:
        silence()
        jobs.take_over_silent_jobs()
        connection.close()

    def taken_over_meanwhile(*args: Any) -> str:
        if Job.objects.get().attempts == 1:
            thread = Thread(target=take_over)
            thread.start()
            thread.join()
            assert AdjustmentRecord.objects.count() == 3, "the first run has written what it now loses"
        return message_for_batch(*args)

    monkeypatch.setattr(messages, "message_for_batch", taken_over_meanwhile)
    worker()
    job = client.get(page).context["job"]
    assert (job.state, job.attempts) == ("DONE", 2)
    assert AdjustmentRecord.objects.count() == Budget.objects.count() == 3


def test_a_job_that_is_being_run_is_not_run_again_by_a_second_task(
    client, three, ann, low_threshold, worker, transactional_db
):
    client.post(review(three, ann))
    Job.objects.update(state="READING", token=uuid4(), attempts=1)
    worker()
    assert Job.objects.get().attempts == 1
    assert not Budget.objects.exists()


def test_a_silent_job_is_taken_over_by_the_next_worker_without_anybody_asking(
    client, three, ann, low_threshold, worker, transactional_db
):
    page = client.post(review(three, ann))["Location"]
    DBTaskResult.objects.update(status="RUNNING")
    silence(state="APPLYING", token=uuid4(), attempts=1)
    worker()
    job = client.get(page).context["job"]
    assert (job.state, job.attempts) == ("DONE", 2)
    assert AdjustmentRecord.objects.count() == 3


def test_a_job_that_stopped_three_times_fails_and_the_platform_is_told(
    client, three, ann, low_threshold, worker, transactional_db, settings, mailoutbox
):
    settings.ADMINS = [("", "platform@example.com")]
    page = client.post(review(three, ann))["Location"]
    DBTaskResult.objects.update(status="RUNNING")
    silence(state="APPLYING", token=uuid4(), attempts=3)
    worker()
    shown = client.get(page)
    assert shown.context["job"].state == "FAILED"
    assert "begun three times and stopped each time" in shown.content.decode()
    assert [mail.to for mail in mailoutbox] == [["platform@example.com"]]
    assert str(shown.context["job"].pk) in mailoutbox[0].body
    assert not Budget.objects.exists()


def test_a_job_that_waits_its_turn_is_not_queued_twice(client, three, ann, low_threshold, worker):
    client.post(review(three, ann))
    silence()
    jobs.take_over_silent_jobs()
    assert DBTaskResult.objects.count() == 1
    DBTaskResult.objects.all().delete()
    jobs.take_over_silent_jobs()
    assert DBTaskResult.objects.count() == 1


def test_without_a_worker_a_job_gives_signs_of_life_too(client, three, ann, low_threshold, monkeypatch):
    message_for_batch = messages.message_for_batch
    seen = []

    def looked_at(*args: Any) -> str:
        seen.append(Job.objects.values_list("state", "attempts").get())
        return message_for_batch(*args)

    monkeypatch.setattr(messages, "message_for_batch", looked_at)
    client.post(review(three, ann))
    assert seen == [("APPLYING", 1)]


def test_an_unexpected_error_is_reported_and_changes_nothing(
    client, three, ann, low_threshold, worker, monkeypatch, transactional_db
):
    page = client.post(review(three, ann))["Location"]
    monkeypatch.setattr(messages, "message_for_batch", lambda *args: 1 / 0)
    worker()
    assert "An error stopped the job. Nothing was changed." in client.get(page).content.decode()
    assert not Budget.objects.exists()


def test_budget_batches_links_to_the_operators_own_jobs_of_the_day(
    client, three, ann, low_threshold, worker, sign_in, ben
):
    page = client.post(review(three, ann))["Location"]
    assert f'href="{page}"' in client.get("/budgets/batches/").content.decode()
    assert f'href="{page}"' not in sign_in(ben).get("/budgets/batches/").content.decode()


# A worker that stops after it has written adjustment records, so that it can be killed in the middle of a batch.
STOPPING_WORKER = """
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
    call_command("worker", batch=True)
"""


@pytest.mark.postgres
def test_a_worker_killed_in_the_middle_leaves_nothing_half_done(
    client, three, ann, low_threshold, worker, transactional_db
):
    page = client.post(review(three, ann))["Location"]
    database = connection.settings_dict
    url = f"postgres://{database['USER']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    child = subprocess.Popen(
        [sys.executable, "-c", STOPPING_WORKER],
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
        _wait_until(lambda: client.get(page).context["job"].state == "APPLYING")
    finally:
        child.send_signal(signal.SIGKILL)
        child.communicate()
    _wait_until(_no_open_transaction)
    assert not AdjustmentRecord.objects.exists()
    assert not Budget.objects.exists()
    assert client.get(page).context["job"].finished_at is None
    Job.objects.update(alive_at=timezone.now() - timedelta(minutes=2))
    client.post(f"{page}again/")
    worker()
    assert client.get(page).context["job"].state == "DONE"
    assert Budget.objects.count() == 3


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true within 20 seconds"
        time.sleep(0.1)


def _no_open_transaction() -> bool:
    """Whether PostgreSQL has noticed that the killed worker is gone."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
        )
        return not cursor.fetchone()[0]
