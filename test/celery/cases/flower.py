"""Flower: its pages show the worker and its tasks, and its buttons act."""

from __future__ import annotations

import importlib.util
import json
import socket
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager

from cases.registry import case
from cases.session import Session, celery_command, outcome_of, pick, until

BROKER_QUEUES = ("celery", "predictions", "batch", "explanations")


class Flower:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def request(self, path: str, form: dict[str, object] | None = None) -> tuple[int, str]:
        body = None if form is None else urllib.parse.urlencode(form).encode()
        try:
            with urllib.request.urlopen(f"{self.url}{path}", data=body, timeout=20) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as failure:
            return failure.code, failure.read().decode()

    def get(self, path: str):
        return json.loads(self.request(path)[1])

    def has(self, path: str, *words: str) -> dict[str, bool]:
        """Whether a page shows these words."""
        _, text = self.request(path)
        return {word: word in text for word in words}

    def button(self, path: str, **form: object) -> list[object]:
        status, text = self.request(path, form)
        return [status, json.loads(text).get("message", text) if status == 200 else text]


@contextmanager
def flower():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["flower", "--address=127.0.0.1", f"--port={port}", "--logging=warning"]
    with celery_command(*arguments, FLOWER_UNAUTHENTICATED_API="1"):
        page = Flower(port)

        def responds() -> bool:
            try:
                return page.request("/healthcheck")[0] == 200
            except OSError:
                return False

        until(responds, "Flower")
        yield page


def pages_of(session: Session, page: Flower) -> dict[str, object]:
    result = session.predict()
    outcome_of(result)
    name = urllib.parse.quote(session.worker)

    def task_of(task_id: str):
        status, text = page.request(f"/api/task/info/{task_id}")
        return json.loads(text) if status == 200 else {}

    info = until(lambda: task_of(result.id).get("state") == "SUCCESS" and task_of(result.id), "the task in Flower")
    shown = until(lambda: page.get("/api/workers?refresh=1").get(session.worker), "the worker in Flower")
    table = "/tasks/datatable?draw=1&start=0&length=100000&order[0][column]=0&order[0][dir]=desc&columns[0][data]=name"
    rows = page.get(urllib.parse.quote(table, safe="/?&="))["data"]
    online = f'flower_worker_online{{worker="{session.worker}"}} 1.0'
    return {
        "worker": sorted(set(shown) & {"stats", "active_queues", "registered", "conf", "timestamp"}),
        "workers page": until(lambda: workers_row(session, page), "a heartbeat in Flower"),
        "worker page": page.has(f"/worker/{name}", "Max concurrency", "ml.process_prediction", "predictions"),
        "tasks page": page.request("/tasks")[0],
        "tasks table": [pick(row, "name", "state") for row in rows if row["uuid"] == result.id],
        "task": pick(info, "name", "state", "exception"),
        "task worker": info["worker"] == session.worker,
        "task page": page.has(f"/task/{result.id}", "ml.process_prediction", "SUCCESS"),
        "broker page": page.has("/broker", *BROKER_QUEUES),
        "metrics": list(page.has("/metrics", online, 'type="task-succeeded"').values()),
    }


def workers_row(session: Session, page: Flower) -> dict[str, object] | None:
    """The row of the worker as soon as a heartbeat has filled it."""
    row = next((each for each in page.get("/workers?json=1")["data"] if each["hostname"] == session.worker), {})
    if row.get("processed") is None:
        return None
    return {"status": row["status"], **{key: type(row[key]).__name__ for key in ("active", "processed", "loadavg")}}


def buttons_of(session: Session, page: Flower) -> dict[str, object]:
    name = urllib.parse.quote(session.worker)
    queue = f"flower-{session.new_id()}"
    waiting = session.predict(countdown=3)
    revoke = page.button(f"/api/task/revoke/{waiting.id}")
    running = session.slow(60)
    session.wait_started(running)
    terminate = page.button(f"/api/task/revoke/{running.id}", terminate="true")
    buttons = {
        "revoke": revoke,
        "terminate": terminate,
        "rate limit": page.button(
            "/api/task/rate-limit/ml.health_check", workername=session.worker, ratelimit="1000/s"
        ),
        "time limit": page.button("/api/task/timeout/ml.health_check", workername=session.worker, hard=1800, soft=1500),
        "grow": page.button(f"/api/worker/pool/grow/{name}", n=1),
        "shrink": page.button(f"/api/worker/pool/shrink/{name}", n=1),
        "add": page.button(f"/api/worker/queue/add-consumer/{name}", queue=queue),
        "cancel": page.button(f"/api/worker/queue/cancel-consumer/{name}", queue=queue),
    }
    applied = json.loads(page.request("/api/task/async-apply/ml.health_check", {})[1])
    return {
        **json.loads(
            json.dumps(buttons)
            .replace(session.worker, "WORKER")
            .replace(queue, "QUEUE")
            .replace(waiting.id, "ID")
            .replace(running.id, "ID")
        ),
        "revoked": outcome_of(waiting)["state"],
        "terminated": outcome_of(running)["state"],
        "applied": outcome_of(session.app.AsyncResult(applied["task-id"]), "status")["state"],
    }


@case("Flower", lane="flower")
def flower_pages(session: Session):
    if importlib.util.find_spec("flower") is None:
        return "not installed"
    with flower() as page:
        return {"pages": pages_of(session, page), "buttons": buttons_of(session, page)}
