"""Calls that run: what inspect shows of them, how they are ended, and their limits."""

from __future__ import annotations

import json
import uuid

from app.tasks.ml_tasks import process_prediction_task
from cases.failures import envelope
from cases.registry import case
from cases.session import METRICS, USER, Session, outcome_of, pick, until

#: About twenty seconds of work: no case waits for its end.
LONG = 60
#: Calls that are sent while the worker is busy: many times what it fetches in advance.
BACKLOG = 60


@case("inspect active", lane="slow")
def active(session: Session):
    result = session.slow(LONG)
    session.wait_started(result)
    entry = next(each for each in session.ask("active") if each["id"] == result.id)
    query = session.ask("query_task", [result.id, "nobody-sent-this"])
    session.revoke(result.id, terminate=True)
    outcome_of(result)
    fields = ("id", "name", "args", "kwargs", "type", "hostname", "time_start", "acknowledged", "delivery_info")
    # Arguments may be redacted: what they say is not compared.
    return {
        "fields": [key for key in fields if key in entry],
        **pick(entry, "name", "type", "acknowledged"),
        "queue": entry["delivery_info"]["routing_key"],
        "hostname": entry["hostname"] == session.worker,
        "time_start": type(entry["time_start"]).__name__,
        "query_task": {key == result.id: state for key, (state, _) in query.items()},
    }


@case("terminate what runs", lane="slow")
def terminate(session: Session):
    result = session.slow(LONG)
    session.wait_started(result)
    session.revoke(result.id, terminate=True)
    outcome = outcome_of(result)
    gone = until(lambda: result.id not in [each["id"] for each in session.ask("active")], "it to be gone")
    return {**outcome, "gone": gone, "the next call": outcome_of(session.predict(), "status")}


@case("terminate with a signal", lane="slow")
def terminate_with_signal(session: Session):
    result = session.slow(LONG)
    session.wait_started(result)
    session.app.control.terminate(result.id, signal="SIGKILL", destination=[session.worker])
    return outcome_of(result)


@case("revoke without terminate lets it end", lane="slow")
def revoke_without_terminate(session: Session):
    result = session.slow(5)
    session.wait_started(result)
    session.revoke(result.id)
    until(lambda: result.id in session.ask("revoked"), "the revoked id")
    return outcome_of(result, "status")


@case("terminate by stamped headers", lane="slow", since=(5, 3))
def terminate_by_stamps(session: Session):
    tenant = f"tenant-{session.new_id()}"
    signature = process_prediction_task.s(session.new_id(), USER, {**METRICS, "load_points": LONG})
    signature.stamp(tenant=tenant)
    result = signature.apply_async()
    session.wait_started(result)
    reply = session.command("revoke_by_stamped_headers", {"tenant": tenant}, terminate=True)
    return {"reply": list(reply), **outcome_of(result)}


@case(
    "hard time limit of a call",
    lane="slow",
    gateway={"state": "FAILURE", "raises": "billiard.exceptions.TimeLimitExceeded"},
    why="Celery looks at the hard limit only when the soft one has passed, which the application sets to 25 minutes.",
)
def hard_limit(session: Session):
    return outcome_of(session.slow(6, time_limit=1), "status")


@case("soft time limit of a call", lane="slow")
def soft_limit(session: Session):
    """Work that runs in native code ends at its next safe point."""
    return outcome_of(session.slow(9, soft_time_limit=1))


def together(session: Session, *calls: tuple[int, int]) -> list[dict]:
    """Outcomes of calls that come at once, each with its points and its soft limit: they may be computed as one."""
    messages = {}
    for points, soft in calls:
        task_id = str(uuid.uuid4())
        body = json.dumps([[session.new_id(), USER, {**METRICS, "load_points": points}], {}, {}]).encode()
        messages[task_id] = json.dumps(envelope(body, task_id, timelimit=[None, soft]))
    session.broker.lpush("celery", *messages.values())
    return [outcome_of(session.app.AsyncResult(each), "status") for each in messages]


@case("soft time limit of one of two calls that come together", lane="slow")
def soft_limit_of_one(session: Session):
    return together(session, (9, 1), (9, 1001))


@case("failure of one of several calls that come together", lane="retry")
def failure_of_one(session: Session):
    return together(session, (0, 1002), (0, 1002), (1000, 1002), (0, 1002))


@case(
    "inspect reserved, and the backlog behind it",
    phase="alone",
    gateway={
        "name": "ml.process_prediction",
        "acknowledged": True,
        "backlog": True,
        "revoked": ["REVOKED"],
        "behind": ["SUCCESS"],
    },
    why="A call is acknowledged as soon as it is stored in PostgreSQL.",
)
def reserved(session: Session):
    """Calls are sent until one does not start: it is reserved, and most of what comes then stays in the queue."""
    sent = []
    while True:
        sent.append(session.slow(LONG))
        try:
            until(lambda: sent[-1].state == "STARTED", "it to start", seconds=5)
        except TimeoutError:
            break
    waiting = sent[-1].id
    found = until(lambda: next((e for e in session.ask("reserved") if e["id"] == waiting), None), "the reserved call")
    behind = [session.predict() for _ in range(BACKLOG)]
    # The reply to a command comes after what was sent before it has been fetched.
    session.ask("reserved")
    backlog = session.queue_length("celery")
    session.revoke([each.id for each in sent], terminate=True)
    outcomes = {outcome_of(each)["state"] for each in sent}
    return {
        **pick(found, "name", "acknowledged"),
        "backlog": backlog >= BACKLOG / 2,
        "revoked": sorted(outcomes),
        "behind": sorted({outcome_of(each, "status")["state"] for each in behind}),
    }
