"""Input that is wrong: every call ends with an error that the caller can catch, and the next call runs."""

from __future__ import annotations

import base64
import json
import pickle
import uuid
from datetime import datetime

from cases.registry import case
from cases.session import METRICS, USER, Session, name_of, outcome_of, until

PREDICTION = "ml.process_prediction"


@case("an invalid metric", lane="failures")
def invalid_metric(session: Session):
    result = session.predict({**METRICS, "mmse_score": 99})
    outcome = outcome_of(result)
    # The wording of the error is the product's own.
    return {
        **outcome,
        "result": name_of(result.result),
        "says something": len(str(result.result)) > 10,
        "successful, failed": [result.successful(), result.failed()],
        "date_done": type(result.date_done).__name__,
        "children": result.children,
    }


@case("get without raising", lane="failures")
def get_without_raising(session: Session):
    value = session.predict({**METRICS, "mmse_score": 99}).get(timeout=20, propagate=False)
    return {"returns": name_of(value)}


@case("an ml task that does not exist", lane="failures")
def unknown_task(session: Session):
    result = session.send("ml.no_such_task", [1])
    return {**outcome_of(result), "says": str(result.result)}


@case("arguments that do not fit", lane="failures")
def wrong_arguments(session: Session):
    one = session.new_id()
    calls = {
        "missing": session.send(PREDICTION, [one]),
        "none": session.send(PREDICTION),
        "too many": session.send(PREDICTION, [one, USER, METRICS, 4]),
        "doubled": session.send(PREDICTION, [one, USER, METRICS], {"user_id": USER}),
        "unknown": session.send(PREDICTION, [one, USER, METRICS], {"nothing": 1}),
        "explanation without": session.send("ml.generate_explanation"),
        "health check with": session.send("ml.health_check", [1]),
    }
    return {name: outcome_of(result) for name, result in calls.items()}


@case("arguments of wrong types", lane="failures")
def wrong_types(session: Session):
    one = session.new_id()
    calls = {
        "text for a person": session.send(PREDICTION, [one, "abc", METRICS]),
        "null for an id": session.send(PREDICTION, [None, USER, METRICS]),
        "zero for an id": session.send(PREDICTION, [0, USER, METRICS]),
        "list for metrics": session.send(PREDICTION, [one, USER, [1]]),
        "text for metrics": session.send(PREDICTION, [one, USER, "mmse"]),
        "list for a metric": session.send(PREDICTION, [one, USER, {"mmse_score": [24]}]),
        "date for a metric": session.send(PREDICTION, [one, USER, {"mmse_score": datetime(2026, 1, 1)}]),
        "uuid for a person": session.send(PREDICTION, [one, uuid.uuid4(), METRICS]),
        "text for people": session.send("ml.batch_predictions", ["abc"]),
    }
    return {name: outcome_of(result) for name, result in calls.items()}


@case("numbers that JSON does not have, or not exactly", lane="failures")
def unusual_numbers(session: Session):
    def with_score(value):
        return session.predict({**METRICS, "mmse_score": value})

    exact = 2**53 - 1
    calls = {
        "NaN": with_score(float("nan")),
        "Infinity": with_score(float("inf")),
        "-Infinity": with_score(float("-inf")),
        "a large metric": with_score(2**53 + 1),
        "an id above 2^53": session.send(PREDICTION, [2**53 + 1, USER, METRICS]),
        "a person above 2^64": session.send(PREDICTION, [session.new_id(), 2**64 + 1, METRICS]),
    }
    outcomes = {name: outcome_of(result) for name, result in calls.items()}
    largest = outcome_of(session.send(PREDICTION, [exact, USER, METRICS]), "status", "prediction_id")
    return {**outcomes, "2^53 - 1": {**largest, "kept": largest["result"].pop("prediction_id") == exact}}


@case(
    "a body compressed with bzip2",
    lane="messages",
    gateway={"state": "FAILURE", "raises": "kombu.exceptions.DecodeError"},
    why="Node.js has no bzip2; gzip and zlib are read.",
)
def bzip2(session: Session):
    return outcome_of(session.predict(compression="bzip2"), "status")


@case("compressed bodies", lane="messages")
def compressed(session: Session):
    return {kind: outcome_of(session.predict(compression=kind), "status") for kind in ("gzip", "zlib")}


@case("protocol 1", lane="messages")
def protocol_one(session: Session):
    old = session.other_app(task_protocol=1)
    sent = session.new_id()
    return {
        "success": outcome_of(old.send_task(PREDICTION, [sent, USER], {"health_metrics": METRICS}), "status"),
        "failure": outcome_of(old.send_task(PREDICTION, [sent])),
        "unknown": outcome_of(old.send_task("ml.no_such_task")),
        "countdown": outcome_of(old.send_task("ml.health_check", countdown=1), "status"),
    }


def envelope(body: bytes, task_id: str, **headers) -> dict:
    """A message as Celery's clients write it to a queue."""
    return {
        "body": base64.b64encode(body).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {"lang": "py", "task": PREDICTION, "id": task_id, "root_id": task_id, "parent_id": None, **headers},
        "properties": {
            "correlation_id": task_id,
            "reply_to": str(uuid.uuid4()),
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "celery"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        },
    }


def after_refusal(session: Session, task_id: str) -> dict:
    """What became of a call that cannot be read: a worker may drop it or fail it, and runs the next one."""
    following = outcome_of(session.predict(), "status")
    state = session.app.AsyncResult(task_id).state
    return {"refused": state in ("PENDING", "FAILURE") or state, "the next call": following["state"]}


@case(
    "the same message twice",
    lane="messages",
    gateway={"state": "SUCCESS", "result": {"status": "success"}, "runs": 1},
    why="Celery runs a message as often as it is delivered.",
)
def delivered_twice(session: Session):
    task_id = str(uuid.uuid4())
    body = json.dumps([[session.new_id(), USER, METRICS], {}, {}]).encode()
    for _ in range(2):
        session.broker.lpush("celery", json.dumps(envelope(body, task_id)))
    outcome = outcome_of(session.app.AsyncResult(task_id), "status")
    # Events of the next call come after those of both.
    session.never_started()
    return {**outcome, "runs": session.events.runs_of(task_id)}


@case("a body that is a pickle", lane="messages")
def pickled(session: Session):
    task_id = str(uuid.uuid4())
    arguments = {"prediction_id": session.new_id(), "user_id": USER, "health_metrics": METRICS}
    message = envelope(pickle.dumps(([], arguments, {})), task_id)
    message.update({"content-type": "application/x-python-serialize", "content-encoding": "binary"})
    session.broker.lpush("celery", json.dumps(message))
    return after_refusal(session, task_id)


@case("a body that breaks off", lane="messages")
def truncated(session: Session):
    task_id = str(uuid.uuid4())
    session.broker.lpush("celery", json.dumps(envelope(b'[[1, 123, {"mmse_sc', task_id)))
    return after_refusal(session, task_id)


READ_NO_FURTHER = {"refused": True, "the next call": "SUCCESS"}


@case(
    "messages that end a Celery worker",
    phase="outside",
    gateway={
        "a number as the body": READ_NO_FURTHER,
        "an empty body": READ_NO_FURTHER,
        "text as the body": READ_NO_FURTHER,
        "arguments that are no list": READ_NO_FURTHER,
        "half an envelope": READ_NO_FURTHER,
        "an empty envelope": READ_NO_FURTHER,
        "no JSON at all": READ_NO_FURTHER,
    },
    why="Celery ends with 'Unrecoverable error' at a message of another shape.",
)
def fatal_messages(session: Session):
    task_id = str(uuid.uuid4())
    messages = {
        "a number as the body": json.dumps(envelope(b"1", task_id)),
        "an empty body": json.dumps(envelope(b"[]", task_id)),
        "text as the body": json.dumps(envelope(b'"abc"', task_id)),
        "arguments that are no list": json.dumps(envelope(b"[1, {}, {}]", task_id)),
        "half an envelope": json.dumps(envelope(b"[[], {}, {}]", task_id))[:100],
        "an empty envelope": "{}",
        "no JSON at all": "abc",
    }
    outcomes = {}
    for name, message in messages.items():
        session.broker.lpush("celery", message)
        outcomes[name] = after_refusal(session, task_id)
    return outcomes


@case("a message of 10 MB", lane="messages")
def large_message(session: Session):
    """Ten million bytes of metrics that no model knows."""
    metrics = {f"unknown_metric_{index}": 1.5 for index in range(400_000)}
    result = session.predict(metrics, argsrepr="()", kwargsrepr="{}")
    outcome = outcome_of(result)
    until(lambda: session.queue_length("celery") == 0, "the queue to be empty")
    return {**outcome, "the next call": outcome_of(session.predict(), "status")["state"]}
