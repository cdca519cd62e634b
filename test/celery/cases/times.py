"""Calls that wait for a time, expire, or are revoked before they start."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime, timedelta, timezone

from app.tasks.ml_tasks import process_prediction_task
from cases.failures import envelope
from cases.registry import case
from cases.session import METRICS, USER, Session, outcome_of, seconds_after, until

#: How much later than its time a call may end: the machine of the tests may be busy. A time that is read in a wrong time
#: zone is off by an hour at least, and one that is ignored comes too early.
LATE_SECONDS = 15


def timed_outcome(result, at: float) -> dict:
    outcome = outcome_of(result, "status")
    after = seconds_after(at, result)
    return {**outcome, "in time": 0 <= after < LATE_SECONDS or round(after, 1)}


@case("countdown, and what inspect scheduled shows of it")
def countdown(session: Session):
    at = time.time() + 4
    result = session.predict(countdown=4)

    def entry():
        return next((each for each in session.ask("scheduled") if each["request"]["id"] == result.id), None)

    shown = until(entry, "the call to be scheduled")
    eta = datetime.fromisoformat(shown["eta"]).timestamp()
    return {
        "keys": sorted(set(shown) & {"eta", "priority", "request"}),
        "eta": abs(eta - at) < 5,
        "name": shown["request"]["name"],
        "state": result.state,
        "later": timed_outcome(result, eta),
    }


@case(
    "inspect query_task of a scheduled call",
    gateway="scheduled",
    why="Celery 5.2 finds no scheduled call.",
    before=(5, 3),
)
def query_scheduled(session: Session):
    result = session.predict(countdown=60)
    until(lambda: result.id in [each["request"]["id"] for each in session.ask("scheduled")], "the call to be scheduled")
    state, _ = session.ask("query_task", result.id).get(result.id, ("unknown", None))
    session.revoke(result.id)
    return state


@case("eta with a time zone")
def eta(session: Session):
    at = datetime.now(timezone(timedelta(hours=5))) + timedelta(seconds=2)
    return timed_outcome(session.predict(eta=at), at.timestamp())


@case("eta without a time zone is UTC")
def naive_eta(session: Session):
    at = datetime.now(UTC) + timedelta(seconds=2)
    return timed_outcome(session.predict(eta=at.replace(tzinfo=None)), at.timestamp())


@case("eta without a time zone in the message is UTC")
def naive_eta_in_the_message(session: Session):
    """Older clients write it so."""
    at = datetime.now(UTC) + timedelta(seconds=2)
    task_id = str(uuid.uuid4())
    body = json.dumps([[session.new_id(), USER, METRICS], {}, {}]).encode()
    message = envelope(body, task_id, eta=at.replace(tzinfo=None).isoformat())
    session.broker.lpush("celery", json.dumps(message))
    return timed_outcome(session.app.AsyncResult(task_id), at.timestamp())


@case("an eta that has passed")
def past_eta(session: Session):
    at = time.time()
    result = session.predict(eta=datetime.now(UTC) - timedelta(hours=1))
    return timed_outcome(result, at)


@case("expires before it may start")
def expired(session: Session):
    result = session.predict(countdown=3, expires=1)
    return {**outcome_of(result), "says": str(result.result)}


@case("expires that has passed")
def expired_before(session: Session):
    result = session.predict(expires=datetime.now(UTC) - timedelta(minutes=1))
    return {**outcome_of(result), "says": str(result.result)}


@case("expires later than it ends")
def expires_later(session: Session):
    return outcome_of(session.predict(expires=60), "status")


@case("revoke before it starts")
def revoked(session: Session):
    result = session.predict(countdown=3)
    session.revoke(result.id)
    outcome = outcome_of(result)
    later = outcome_of(session.predict(countdown=1), "status")
    return {
        **outcome,
        "says": str(result.result),
        "never started": session.never_started(result.id),
        "inspect revoked": result.id in session.ask("revoked"),
        "another": later["state"],
    }


@case("revoke by the result itself")
def revoked_by_result(session: Session):
    result = session.predict(countdown=2)
    result.revoke()
    return outcome_of(result)


@case("revoke before it is sent")
def revoked_before(session: Session):
    task_id = str(uuid.uuid4())
    session.revoke(task_id)
    until(lambda: task_id in session.ask("revoked"), "the revoked id")
    session.predict(task_id=task_id)
    result = session.app.AsyncResult(task_id)
    return {**outcome_of(result), "never started": session.never_started(task_id)}


@case("revoke a list of ids")
def revoked_list(session: Session):
    results = [session.predict(countdown=3) for _ in range(3)]
    kept = session.predict(countdown=3)
    session.revoke([each.id for each in results])
    outcomes = [outcome_of(each)["state"] for each in results]
    return {"revoked": outcomes, "kept": outcome_of(kept, "status")["state"]}


@case("revoke by stamped headers", since=(5, 3))
def revoked_by_stamps(session: Session):
    def stamped(tenant: str):
        signature = process_prediction_task.s(session.new_id(), USER, METRICS)
        signature.stamp(tenant=tenant)
        return signature.apply_async(countdown=3)

    tenant = f"tenant-{session.new_id()}"
    mine, other = stamped(tenant), stamped("another")
    reply = session.command("revoke_by_stamped_headers", {"tenant": [tenant]})
    return {"reply": list(reply), "mine": outcome_of(mine), "another": outcome_of(other, "status")["state"]}
