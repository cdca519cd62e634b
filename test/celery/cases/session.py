"""What every case works with: the application, the name of the worker, the events, Redis, and ways of waiting."""

from __future__ import annotations

import itertools
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import redis
from celery import Celery
from celery.result import AsyncResult

from app.core.celery_app import celery_app
from app.tasks.ml_tasks import process_prediction_task

FOLDER = Path(__file__).resolve().parents[1]
USER = 123
METRICS = {"mmse_score": 24, "age": 72}

#: Soft limit of slow calls.
SLOW_LIMIT_SECONDS = 1000
#: Connections of this process to the broker.
CONNECTIONS = 100
#: Longest wait for the reply to a command.
REPLY_SECONDS = 5
#: Longest wait for what should take no time, on a machine that is busy.
PATIENCE_SECONDS = 40


def until(check: Callable[[], Any], what: str, seconds: float = PATIENCE_SECONDS, pause: float = 0.03) -> Any:
    """Polls until the result is true, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s in vain for {what}")
        time.sleep(pause)


class EventLog:
    """Everything that workers publish, from a thread of its own."""

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []
        self.failure: BaseException | None = None
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            with celery_app.connection_for_read() as connection:
                receiver = celery_app.events.Receiver(connection, handlers={"*": self.all.append})
                receiver.capture(limit=None, timeout=None, wakeup=False)
        except BaseException as failure:
            self.failure = failure
            raise

    def types_of(self, task_id: str) -> list[str]:
        """Types of the events of a task, in the order in which they came."""
        return [event["type"] for event in list(self.all) if event.get("uuid") == task_id]

    def runs_of(self, task_id: str) -> int:
        """How often a call that has succeeded was started."""
        self.wait("task-succeeded", uuid=task_id)
        return self.types_of(task_id).count("task-started")

    def find(self, kind: str, **fields: Any) -> dict[str, Any] | None:
        wanted = {"type": kind, **fields}
        return next((each for each in list(self.all) if all(each.get(key) == wanted[key] for key in wanted)), None)

    def wait(self, kind: str, **fields: Any) -> dict[str, Any]:
        return until(lambda: self.find(kind, **fields), f"the event {kind} {fields}")


class Session:
    """One run of the cases against one worker."""

    app = celery_app

    def __init__(self, worker: str) -> None:
        self.worker = worker
        # Every lane is a thread with connections of its own.
        celery_app.conf.broker_pool_limit = CONNECTIONS
        self.broker = redis.Redis.from_url(celery_app.conf.broker_url)
        self.backend = redis.Redis.from_url(celery_app.conf.result_backend)
        self.events = EventLog()
        self.python_worker = ""
        #: Processes of the worker's pool when it was new.
        self.processes = 0
        self._ids = itertools.count(secrets.randbelow(2**40) + 1)

    def start(self) -> None:
        """Waits for the worker, and makes it publish the events of tasks."""
        self.events.wait("worker-heartbeat", hostname=self.worker)
        self.command("enable_events")
        self.processes = len(self.ask("stats")["pool"]["processes"])

    # Sending

    def new_id(self) -> int:
        """A prediction id that no other call has."""
        return next(self._ids)

    def predict(self, metrics: Any = None, **options: Any) -> AsyncResult:
        """Calls `ml.process_prediction`; options are those of `apply_async`."""
        arguments = {"prediction_id": self.new_id(), "user_id": USER, "health_metrics": metrics or METRICS}
        return process_prediction_task.apply_async(kwargs=arguments, **options)

    def slow(self, points: int, **options: Any) -> AsyncResult:
        """A prediction that takes about a third of a second for each point.

        Its soft limit is one that others do not have: a worker may compute calls of the same limits together.
        """
        return self.predict({**METRICS, "load_points": points}, **{"soft_time_limit": SLOW_LIMIT_SECONDS, **options})

    def send(self, name: str, args: Any = (), kwargs: Any = None, **options: Any) -> AsyncResult:
        """Sends a call whose arguments nobody checks here."""
        return self.app.send_task(name, args=args, kwargs=kwargs or {}, **options)

    def other_app(self, **settings: Any) -> Celery:
        """An application that has none of the tasks' code, on the same Redis."""
        other = Celery("other", broker=self.app.conf.broker_url, backend=self.app.conf.result_backend)
        other.conf.update(broker_pool_limit=CONNECTIONS, **settings)
        return other

    # Looking

    def ask(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Reply of the worker to an inspect command."""
        with self._connection() as connection:
            control = self.app.control.inspect([self.worker], timeout=REPLY_SECONDS, connection=connection)
            replies = getattr(control, method)(*args, **kwargs)
        return None if replies is None else replies.get(self.worker)

    def command(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Reply of the worker to a control command."""
        control = getattr(self.app.control, method)
        replies = self._ask_control(control, *args, destination=[self.worker], timeout=REPLY_SECONDS, **kwargs)
        return next((reply[self.worker] for reply in replies if self.worker in reply), None)

    def broadcast(self, method: str, **options: Any) -> list[dict[str, Any]]:
        """Replies of all workers to a command."""
        return self._ask_control(self.app.control.broadcast, method, **options)

    def _ask_control(self, control: Callable[..., Any], *args: Any, **options: Any) -> list[dict[str, Any]]:
        with self._connection() as connection:
            return control(*args, reply=True, connection=connection, **options)

    @contextmanager
    def _connection(self):
        """A connection of its own: one of the pool may still wait for replies of the question before, and take them."""
        with self.app.connection_for_write() as connection:
            yield connection

    def revoke(self, task_id: Any, **options: Any) -> None:
        """Revokes at the worker alone, so that a Python worker beside it does not do its work."""
        self.app.control.revoke(task_id, destination=[self.worker], **options)

    def wait_started(self, result: AsyncResult) -> None:
        until(lambda: result.state == "STARTED", "a call to start")

    def never_started(self, *task_ids: str) -> bool:
        """Whether none of these calls has started. Events of a later call come after those of an earlier one."""
        later = self.predict()
        self.events.wait("task-succeeded", uuid=later.id)
        return not any("task-started" in self.events.types_of(each) for each in task_ids)

    def queue_length(self, queue: str) -> int:
        return self.broker.llen(queue)

    @contextmanager
    def python(self):
        """A Celery worker of the same version beside the one that is tested, on the queue `python`."""
        self.python_worker = "python@client"
        arguments = ["worker", "-Q", "python", "-n", self.python_worker, "--pool=solo", "-E", "--loglevel=warning"]
        with celery_command(*arguments):
            self.events.wait("worker-heartbeat", hostname=self.python_worker)
            yield


@contextmanager
def celery_command(*arguments: str, **more: str):
    """A `celery` program in the folder of the application, until the end of the block."""
    program = [sys.executable, "-m", "celery", "-A", "celery_worker", *arguments]
    process = subprocess.Popen(
        program, cwd=FOLDER, env={**os.environ, **more}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stderr), daemon=True)
    reader.start()
    try:
        yield process
    except BaseException:
        sys.stderr.write("".join(lines[-40:]))
        raise
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def seconds_after(moment: float, result: AsyncResult) -> float:
    """How long after a time, in seconds since 1970, a call ended."""
    done = result.date_done
    if isinstance(done, str):
        done = datetime.fromisoformat(done)
    return (done if done.tzinfo else done.replace(tzinfo=UTC)).timestamp() - moment


def outcome_of(result: AsyncResult, *keys: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
    """State at the end, and the documented keys of the result or the class of the exception that `get` raises."""
    try:
        value = value_of(result, seconds)
    except Exception as failure:
        return {"state": result.state, "raises": name_of(failure)}
    return {"state": result.state, "result": pick(value, *keys) if keys else value}


def value_of(result: AsyncResult, seconds: float = PATIENCE_SECONDS) -> Any:
    """What `get` returns when the call has ended.

    Only who has sent a call may wait with `get` alone: for another, Celery subscribes and reads on two connections, and
    misses a result that is stored between the two.
    """
    until(result.ready, f"the end of {result.id}", seconds)
    return result.get(timeout=1)


def name_of(failure: BaseException) -> str:
    """Class of an exception with its module, as a caller must import it."""
    return f"{type(failure).__module__}.{type(failure).__qualname__}"


def pick(value: Any, *keys: str) -> Any:
    """The documented keys: other ones beside them are no difference."""
    return {key: value.get(key, "missing") for key in keys} if isinstance(value, dict) else value
