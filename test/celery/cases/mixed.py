"""A Celery worker of the same application beside the worker that is tested, on the same Redis."""

from __future__ import annotations

import uuid

from celery import chain, chord, group

from app.tasks.ml_tasks import generate_explanation_task, ml_health_check_task
from app.tasks.pattern_monitoring_tasks import (
    become_task,
    collect_task,
    failed_task,
    monitor_user_patterns_task,
    prediction_of_task,
    raise_error_task,
)
from cases.canvas import BAD, part
from cases.registry import case
from cases.session import Session, name_of, outcome_of, until, value_of

#: In each of two cases.
CHORDS = 50


def python(signature):
    """A task that only the Python worker runs."""
    return signature.set(queue="python")


def pattern(number: int):
    return python(monitor_user_patterns_task.si(f"user-{number}"))


@case("mixed chord, body here", phase="mixed", lane="mixed chords")
def mixed_chord_body_here(session: Session):
    results = [
        chord([part(session), pattern(number), part(session)])(ml_health_check_task.si()) for number in range(CHORDS)
    ]
    states = [outcome_of(each, "status")["state"] for each in results]
    return {"states": sorted(set(states)), "runs": [session.events.runs_of(each.id) for each in results]}


@case("mixed chord, body in Python", phase="mixed", lane="mixed chords")
def mixed_chord_body_in_python(session: Session):
    results, sent = [], []
    for number in range(CHORDS):
        parts = [part(session), pattern(number), part(session)]
        sent.append([parts[0].args[0], f"user-{number}", parts[2].args[0]])
        results.append(chord(parts)(python(collect_task.s())))
    values = [value_of(each) for each in results]
    received = [[a["prediction_id"], b["user_id"], c["prediction_id"]] for a, b, c in values]
    return {"in order": received == sent, "runs": [session.events.runs_of(each.id) for each in results]}


@case("mixed chord with a part that fails in Python", phase="mixed", lane="mixed chords")
def mixed_chord_failure_in_python(session: Session):
    result = chord([part(session), python(raise_error_task.si())])(ml_health_check_task.si())
    until(result.ready, "the body")
    return {"state": result.state, "result": name_of(result.result), "never started": session.never_started(result.id)}


@case("mixed chord with a part that fails here", phase="mixed", lane="mixed chords")
def mixed_chord_failure_here(session: Session):
    result = chord([part(session, BAD), pattern(1)])(python(collect_task.s()))
    until(result.ready, "the body")
    return {"state": result.state, "result": name_of(result.result), "never started": session.never_started(result.id)}


@case("mixed chord with a Python part that becomes a call from here", phase="mixed", lane="mixed chords")
def mixed_chord_with_replaced_part(session: Session):
    """The call that takes its place counts as the part."""
    parts = [part(session), python(become_task.si(part(session)))]
    result = chord(parts)(python(collect_task.s()))
    values = value_of(result)
    return {
        "in order": [each["prediction_id"] for each in values] == [parts[0].args[0], parts[1].args[0]["args"][0]],
        "runs": session.events.runs_of(result.id),
    }


@case("chain through Python", phase="mixed", lane="mixed chains")
def mixed_chain(session: Session):
    first = part(session)
    result = chain(first, python(prediction_of_task.s()), generate_explanation_task.s())()
    outcome = outcome_of(result, "status", "prediction_id")
    return {"state": outcome["state"], "prediction_id": outcome["result"]["prediction_id"] == first.args[0]}


@case("chain with a group of both", phase="mixed", lane="mixed chains")
def mixed_group_in_chain(session: Session):
    """A group that is followed by a task is a chord."""
    first, second = part(session), part(session)
    result = chain(group([first, second, pattern(1)]), python(collect_task.s()))()
    values = value_of(result)
    ids = [each.get("prediction_id", each.get("user_id")) for each in values]
    return ids == [first.args[0], second.args[0], "user-1"]


@case("link and link_error in Python", phase="mixed", lane="mixed links")
def mixed_links(session: Session):
    linked, told = str(uuid.uuid4()), str(uuid.uuid4())
    good = session.predict(link=python(collect_task.s().set(task_id=linked)))
    bad = session.predict(BAD, link_error=python(failed_task.s().set(task_id=told)))
    outcome_of(good), outcome_of(bad)
    received = value_of(session.app.AsyncResult(linked))
    return {
        "link": received == good.result,
        "link_error": value_of(session.app.AsyncResult(told)) == bad.id,
    }


@case("a Python worker with a visibility timeout of 2 s", phase="mixed", lane="visibility")
def visibility(session: Session):
    """Such a worker gives back what it takes for abandoned. A call that runs longer than that still runs once."""
    result = session.slow(15)
    session.wait_started(result)
    with session.app.connection_for_read(transport_options={"visibility_timeout": 2}) as connection:
        channel = connection.default_channel

        def sweep():
            channel.qos.restore_visible(interval=1)
            return result.ready()

        until(sweep, "the call to end", pause=0.3)
    outcome = outcome_of(result, "status")
    outcome_of(session.predict())
    return {**outcome, "runs": session.events.runs_of(result.id)}


@case("tasks of others on the same queue", phase="mixed", lane="foreign")
def foreign_tasks(session: Session):
    """They wait for a worker that knows them; ours among them do not wait."""
    foreign, ours = [], []
    for number in range(30):
        foreign.append(monitor_user_patterns_task.delay(f"user-{number}"))
        if number % 10 == 9:
            ours.append(session.predict())
    states = [outcome_of(each, "status")["state"] for each in ours]
    control = session.app.control
    control.add_consumer("celery", destination=[session.python_worker])
    until(lambda: all(each.ready() for each in foreign), "the calls of others")
    values = [each.get() for each in foreign]
    control.cancel_consumer("celery", destination=[session.python_worker])
    return {
        "ours": states,
        "foreign": [each["status"] for each in values].count("success"),
        "users": [each["user_id"] for each in values] == [f"user-{number}" for number in range(30)],
    }


@case("nothing is left unacknowledged", phase="last")
def nothing_unacknowledged(session: Session):
    def left() -> dict[str, int]:
        return {
            "unacked": session.broker.hlen("unacked"),
            "unacked_index": session.broker.zcard("unacked_index"),
            "celery": session.queue_length("celery"),
        }

    until(lambda: not any(left().values()), "everything to be acknowledged")
    return left()
