"""Calls as callers make them, and what they read of the results."""

from __future__ import annotations

from datetime import datetime

from celery.exceptions import TimeoutError as GetTimeoutError

from app.tasks.ml_tasks import (
    batch_predictions_task,
    generate_explanation_task,
    ml_health_check_task,
    process_prediction_task,
    update_forecasts_task,
)
from cases.registry import case
from cases.session import METRICS, USER, Session, name_of, outcome_of, pick, until

PREDICTION = ("status", "prediction_id")


def prediction_outcome(result, prediction_id):
    outcome = outcome_of(result, *PREDICTION)
    if "result" in outcome and outcome["result"]["prediction_id"] == prediction_id:
        outcome["result"]["prediction_id"] = "as sent"
    return outcome


@case("delay: arguments by name", lane="calls")
def delay_by_name(session: Session):
    sent = session.new_id()
    result = process_prediction_task.delay(prediction_id=sent, user_id=USER, health_metrics=METRICS)
    return prediction_outcome(result, sent)


@case("delay: arguments by position", lane="calls")
def delay_by_position(session: Session):
    sent = session.new_id()
    return prediction_outcome(process_prediction_task.delay(sent, USER, METRICS), sent)


@case("AsyncResult of a success", lane="calls")
def async_result(session: Session):
    sent = session.new_id()
    task_id = process_prediction_task.delay(sent, USER, METRICS).id
    result = session.app.AsyncResult(task_id)
    before = datetime.now().timestamp()
    result.get(timeout=20)
    return {
        "state": result.state,
        "ready, successful, failed": [result.ready(), result.successful(), result.failed()],
        "result": pick(result.result, "status"),
        "date_done": type(result.date_done).__name__,
        "done within a minute": abs(result.date_done.timestamp() - before) < 60,
        "traceback": result.traceback,
        "children": result.children,
        "id": result.id == task_id,
    }


@case("an explanation", lane="calls")
def explanation(session: Session):
    sent = session.new_id()
    process_prediction_task.delay(sent, USER, METRICS).get(timeout=20)
    return prediction_outcome(generate_explanation_task.delay(prediction_id=sent), sent)


@case("a batch", lane="calls")
def batch(session: Session):
    outcome = outcome_of(
        batch_predictions_task.delay(user_ids=[1, 2, 3], health_metrics_list=[METRICS] * 3),
        "status",
        "total",
        "results",
    )
    rows = outcome["result"]["results"]
    # Ids of new predictions: each system counts its own.
    outcome["result"]["results"] = [
        {**pick(row, "user_id", "status"), "prediction_id": type(row.get("prediction_id")).__name__} for row in rows
    ]
    return outcome


@case("a batch with a bad row", lane="calls")
def batch_with_a_bad_row(session: Session):
    bad = {**METRICS, "mmse_score": 99}
    outcome = outcome_of(batch_predictions_task.delay([1, 2], [METRICS, bad]), "status", "total", "results")
    outcome["result"]["results"] = [pick(row, "user_id", "status") for row in outcome["result"]["results"]]
    return outcome


@case("forecasts", lane="calls")
def forecasts(session: Session):
    outcome = outcome_of(update_forecasts_task.delay(user_id=USER), "status", "user_id", "forecast")
    outcome["result"]["forecast"] = type(outcome["result"]["forecast"]).__name__
    return outcome


@case("the health check", lane="calls")
def health_check(session: Session):
    outcome = outcome_of(ml_health_check_task.delay(), "status", "worker", "timestamp")
    kinds = {key: type(outcome["result"][key]).__name__ for key in ("worker", "timestamp")}
    return {**outcome, "result": {**outcome["result"], **kinds}}


@case("an id that nobody sent", lane="calls")
def unknown_id(session: Session):
    result = session.app.AsyncResult("nobody-sent-this")
    return {"state": result.state, "result": result.result, "ready": result.ready()}


@case("an id of the caller's own", lane="calls")
def own_id(session: Session):
    own = f"my-own-id-{session.new_id()}"
    result = session.predict(task_id=own)
    return {**outcome_of(result, "status"), "id": result.id == own}


@case("send_task by name alone", lane="calls")
def send_task(session: Session):
    """As callers do that have none of the tasks' code."""
    sent = session.new_id()
    result = session.other_app().send_task("ml.process_prediction", args=[sent, USER, METRICS])
    return prediction_outcome(result, sent)


@case("get that waits too shortly", lane="slow")
def get_timeout(session: Session):
    result = session.slow(6)
    try:
        result.get(timeout=0.3)
        raised = None
    except GetTimeoutError as failure:
        raised = name_of(failure)
    return {"raised": raised, "later": outcome_of(result, "status")}


@case("STARTED, with its process and host", lane="slow")
def started(session: Session):
    result = session.slow(6)
    session.wait_started(result)
    info = result.info
    return {
        "info": {key: type(info.get(key)).__name__ for key in ("pid", "hostname")},
        "hostname": info.get("hostname") == session.worker,
        "later": outcome_of(result, "status"),
    }


@case(
    "ignore_result",
    lane="calls",
    gateway={"state": "PENDING", "key": 0},
    why="Celery 5.2 stores STARTED for a call whose result is ignored, and leaves it.",
    before=(5, 3),
)
def ignore_result(session: Session):
    result = session.predict(ignore_result=True)
    session.events.wait("task-succeeded", uuid=result.id)
    # A call that is sent later has its result: that of the first would be there too.
    outcome_of(session.predict())
    return {"state": session.app.AsyncResult(result.id).state, "key": session.backend.exists(meta_key(result.id))}


@case("forget", lane="calls")
def forget(session: Session):
    result = session.predict()
    result.get(timeout=20)
    kept = session.backend.exists(meta_key(result.id))
    result.forget()
    later = session.app.AsyncResult(result.id)
    return {"kept": kept, "then": session.backend.exists(meta_key(result.id)), "state": later.state}


@case("results expire after result_expires", lane="calls")
def expiry(session: Session):
    result = session.predict()
    result.get(timeout=20)
    days = session.backend.ttl(meta_key(result.id)) / 86400
    return {"days": 1 if 0.99 < days <= 1 else days}


@case("a queue of the guide, and a priority", lane="calls")
def queue_and_priority(session: Session):
    queues = ("predictions", "batch", "explanations")
    return {queue: outcome_of(session.predict(queue=queue, priority=6), "status") for queue in queues}


@case("a queue that nobody serves", lane="calls")
def queue_that_nobody_serves(session: Session):
    queue = f"nobody-{session.new_id()}"
    waiting = session.predict(queue=queue)
    then = outcome_of(session.predict(), "status")
    seen = {"state": waiting.state, "length": session.queue_length(queue), "the next call": then["state"]}
    session.broker.delete(queue)
    return seen


def meta_key(task_id: str) -> str:
    return f"celery-task-meta-{task_id}"


@case(
    "RETRY, with its error",
    lane="retry",
    gateway={"state": "FAILURE", "info": True, "ready": True, "later": "FAILURE", "raises": True},
    why="What a model fails to compute is not tried again: it would fail again. Outages and crashes are what is retried.",
)
def retry(session: Session):
    """A model that fails is tried again, and the error of the last try is the result."""
    result = session.slow(1000)
    state = until(lambda: result.state in ("RETRY", "FAILURE") and result.state, "RETRY", pause=0.01)
    seen = {"state": state, "info": isinstance(result.info, Exception), "ready": result.ready()}
    outcome = outcome_of(result)
    return {**seen, "later": outcome["state"], "raises": isinstance(result.result, Exception)}
