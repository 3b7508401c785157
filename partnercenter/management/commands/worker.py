"""The worker: a process that does long-running work, until it is told to stop."""

import logging
import time
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, connections
from django.utils.crypto import get_random_string
from django_tasks_db.management.commands.db_worker import Worker, valid_interval
from django_tasks_db.models import DBTaskResult

from partnercenter.actions.jobs import take_over_silent_jobs, uses_worker

# In seconds.
TAKE_OVER_INTERVAL = 15.0
FIRST_DELAY, LONGEST_DELAY = 1.0, 30.0

logger = logging.getLogger(__name__)


class JobWorker(Worker):
    """Runs waiting tasks, takes over silent jobs, and connects again when the database was away.

    `Worker.run` ends for good when its connection is cut. So here it runs in a batch: it returns when nothing waits.
    """

    def __init__(self, *, interval: float, stop_when_idle: bool) -> None:
        self.stop_when_idle = stop_when_idle
        self._taken_over_at = float("-inf")
        super().__init__(
            queue_names=["*"],
            excluded_queue_names=[],
            interval=interval,
            batch=True,
            backend_name="default",
            startup_delay=False,
            max_tasks=None,
            worker_id=get_random_string(32),
        )

    def run(self) -> None:
        delay = FIRST_DELAY
        while self.running:
            try:
                self._take_over()
                super().run()
            except (InterfaceError, OperationalError) as error:
                # Whatever the worker was doing is rolled back; its job is taken over after a minute without a sign.
                logger.warning("the database is away; trying again in %s seconds: %s", delay, error)
                connections.close_all()
                time.sleep(delay)
                delay = min(2 * delay, LONGEST_DELAY)
                continue
            delay = FIRST_DELAY
            if self.stop_when_idle:
                return
            if self.running:
                time.sleep(self.interval)

    def run_task(self, db_task_result: DBTaskResult) -> None:
        super().run_task(db_task_result)
        self._take_over()

    def _take_over(self) -> None:
        if time.monotonic() - self._taken_over_at >= TAKE_OVER_INTERVAL:
            take_over_silent_jobs()
            self._taken_over_at = time.monotonic()


class Command(BaseCommand):
    help = "Do long-running work, one job after the other, until stopped by SIGTERM."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--interval", type=valid_interval, default=1.0, help="Seconds to wait when there is no work (default: 1)."
        )
        parser.add_argument("--batch", action="store_true", help="Do the work that waits, then stop.")

    def handle(self, *, interval: float, batch: bool, **_options: Any) -> None:
        if not uses_worker():
            raise CommandError(f"There is no work for a worker: TASKS_BACKEND is {settings.TASKS_BACKEND}.")
        # It would say every second that it starts and has nothing to do.
        logging.getLogger("django_tasks_db").setLevel(logging.WARNING)
        worker = JobWorker(interval=interval, stop_when_idle=batch)
        worker.configure_signals()
        worker.run()
