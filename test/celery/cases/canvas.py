"""Groups, chords, chains and callbacks whose parts all run here."""

from __future__ import annotations

import time
import uuid

from celery import chain, chord, group
from celery.result import GroupResult

from app.tasks.ml_tasks import generate_explanation_task, ml_health_check_task, process_prediction_task
from cases.registry import case
from cases.session import METRICS, USER, Session, name_of, outcome_of, until, value_of

BAD = {**METRICS, "mmse_score": 99}


def part(session: Session, metrics=None):
    """One prediction as a part of a canvas."""
    return process_prediction_task.s(session.new_id(), USER, metrics or METRICS)


@case("group: results in order", lane="groups")
def group_order(session: Session):
    ids = [session.new_id() for _ in range(20)]
    result = group(process_prediction_task.s(each, USER, METRICS) for each in ids)()
    values = result.get(timeout=30)
    return {
        "in order": [each["prediction_id"] for each in values] == ids,
        "successful, completed": [result.successful(), result.completed_count()],
    }


@case("group: saved and restored", lane="groups")
def group_restored(session: Session):
    result = group(part(session) for _ in range(3))()
    result.save()
    group_id, ids = result.id, [each.id for each in result.results]
    # As in another process: Celery 5.2 keeps the results that it knows, and never completes the restored ones.
    del result
    restored = GroupResult.restore(group_id, app=session.app)
    statuses = [each["status"] for each in restored.get(timeout=20)]
    restored.delete()
    return {
        "same": [each.id for each in restored.results] == ids,
        "statuses": statuses,
        "deleted": GroupResult.restore(group_id, app=session.app),
    }


@case("group with a failed part", lane="groups")
def group_with_failure(session: Session):
    result = group([part(session), part(session, BAD), part(session)])()
    until(result.ready, "the group")
    try:
        raised = result.get(timeout=20)
    except Exception as failure:
        raised = name_of(failure)
    return {"raised": raised, "states": [each.state for each in result.results], "failed": result.failed()}


@case("chord", lane="chords")
def plain_chord(session: Session):
    result = chord([part(session) for _ in range(5)])(ml_health_check_task.si())
    outcome = outcome_of(result, "status")
    return {
        **outcome,
        "parts": [each.state for each in result.parent.results],
        "runs": session.events.runs_of(result.id),
    }


@case("chord of one part, of none, and of a generator", lane="chords")
def small_chords(session: Session):
    body = ml_health_check_task
    chords = {
        "one": chord([part(session)])(body.si()),
        "none": chord([])(body.si()),
        "generator": chord(part(session) for _ in range(3))(body.si()),
    }
    return {name: outcome_of(result, "status") for name, result in chords.items()}


@case("chord with a failed part", lane="chords")
def chord_with_failure(session: Session):
    body = ml_health_check_task.si()
    result = chord([part(session), part(session, BAD), part(session)])(body)
    until(result.ready, "the body")
    # `get` raises the part's error; the result of the body has the chord's.
    says = str(result.result)
    until(lambda: all(each.ready() for each in result.parent.results), "every part")
    return {
        **outcome_of(result),
        "result": name_of(result.result),
        "says": says.startswith("Dependency ") and " raised ValueError(" in says,
        "parts": sorted(each.state for each in result.parent.results),
        "never started": session.never_started(result.id),
    }


@case("link_error of a chord's body", lane="chords")
def chord_with_link_error(session: Session):
    task_id = str(uuid.uuid4())
    body = ml_health_check_task.si().on_error(ml_health_check_task.si().set(task_id=task_id))
    result = chord([part(session), part(session, BAD)])(body)
    return {**outcome_of(result), "called": outcome_of(session.app.AsyncResult(task_id), "status")["state"]}


@case("chord whose body is a prediction that fails", lane="chords")
def chord_with_failing_body(session: Session):
    result = chord([part(session) for _ in range(2)])(process_prediction_task.si(session.new_id(), USER, BAD))
    return outcome_of(result)


@case("chord with a group inside", lane="chords")
def nested_chord(session: Session):
    inner = group([part(session), part(session)])
    result = chord([inner, part(session)])(ml_health_check_task.si())
    return {**outcome_of(result, "status"), "runs": session.events.runs_of(result.id)}


@case("chord after chord", lane="chords")
def chord_after_chord(session: Session):
    """A chain of groups: each group begins when the one before it has ended."""
    steps = chain(group([part(session), part(session)]), ml_health_check_task.si(), group([part(session)] * 2))
    # The result of a step before would be put before the arguments of the last group.
    for each in steps.tasks[-1].tasks:
        each.set(immutable=True)
    values = value_of(steps())
    return [each["status"] for each in values]


@case("chain", lane="chains")
def plain_chain(session: Session):
    one, two = session.new_id(), session.new_id()
    result = chain(
        process_prediction_task.si(one, USER, METRICS),
        generate_explanation_task.si(one),
        process_prediction_task.si(two, USER, METRICS),
    )()
    outcome = outcome_of(result, "status", "prediction_id")
    return {
        "state": outcome["state"],
        "prediction_id": outcome["result"]["prediction_id"] == two,
        "parents": [result.parent.state, result.parent.parent.state],
        "order": result.parent.parent.date_done <= result.parent.date_done <= result.date_done,
        "children": [len(each.children) for each in (result.parent.parent, result.parent, result)],
        "root and parent": lineage_of(session, [result.parent.parent.id, result.parent.id, result.id]),
    }


def lineage_of(session: Session, ids: list[str]) -> list[list[int | None]]:
    """Root and parent of each call as its events have them, by their places in the list."""
    events = [session.events.wait("task-received", uuid=each) for each in ids]
    place = {None: None, **{each: index for index, each in enumerate(ids)}}
    return [[place[event["root_id"]], place[event["parent_id"]]] for event in events]


@case("chain: a result becomes the first argument", lane="chains")
def chain_with_result(session: Session):
    """A prediction's result is a dictionary, and no id: the second step fails."""
    result = chain(part(session), generate_explanation_task.s())()
    return {**outcome_of(result), "parent": result.parent.state}


@case("chain whose first step fails", lane="chains")
def chain_with_failure(session: Session):
    last = chain(part(session, BAD), ml_health_check_task.si(), ml_health_check_task.si())()
    first, second = last.parent.parent, last.parent
    until(first.ready, "the first step")
    return {
        "first": first.state,
        "raises": outcome_of(last)["raises"],
        "never started": session.never_started(second.id, last.id),
    }


@case("link", lane="links")
def link(session: Session):
    task_id = str(uuid.uuid4())
    result = session.predict(link=ml_health_check_task.si().set(task_id=task_id))
    linked = session.app.AsyncResult(task_id)
    return {
        **outcome_of(result, "status"),
        "linked": outcome_of(linked, "status"),
        "children": [each.id == task_id for each in result.children],
    }


@case("several links", lane="links")
def links(session: Session):
    ids = [str(uuid.uuid4()) for _ in range(3)]
    result = session.predict(link=[ml_health_check_task.si().set(task_id=each) for each in ids])
    outcomes = [outcome_of(session.app.AsyncResult(each), "status")["state"] for each in ids]
    children = result.children
    parts = [part.id for child in children for part in child.results]
    return {"linked": outcomes, "children": [type(each).__name__ for each in children], "parts": parts == ids}


@case("link of a call that fails", lane="links")
def link_of_failure(session: Session):
    task_id = str(uuid.uuid4())
    result = session.predict(BAD, link=ml_health_check_task.si().set(task_id=task_id))
    outcome = outcome_of(result)
    # Had the link been called, it would have come before the next call.
    outcome_of(session.predict())
    return {**outcome, "linked": session.app.AsyncResult(task_id).state}


@case("link_error", lane="links")
def link_error(session: Session):
    task_id = str(uuid.uuid4())
    result = session.predict(BAD, link_error=ml_health_check_task.si().set(task_id=task_id))
    outcome = outcome_of(result)
    return {**outcome, "called": outcome_of(session.app.AsyncResult(task_id), "status")["state"]}


@case("link_error of a call that succeeds", lane="links")
def link_error_of_success(session: Session):
    task_id = str(uuid.uuid4())
    outcome = outcome_of(session.predict(link_error=ml_health_check_task.si().set(task_id=task_id)), "status")
    outcome_of(session.predict())
    return {**outcome, "called": session.app.AsyncResult(task_id).state}


@case("a chord's keys are gone when its body has run", lane="chords")
def chord_keys(session: Session):
    result = chord([part(session) for _ in range(3)])(ml_health_check_task.si())
    outcome = outcome_of(result, "status")
    keys = [f"celery-taskset-meta-{result.parent.id}{suffix}" for suffix in (".j", ".t", ".s")]
    until(lambda: session.backend.exists(*keys) == 0, "the keys to be gone")
    return outcome


@case("a large chord", lane="large chord")
def large_chord(session: Session):
    began = time.monotonic()
    result = chord(part(session) for _ in range(100))(ml_health_check_task.si())
    outcome = outcome_of(result, "status")
    return {**outcome, "runs": session.events.runs_of(result.id), "within a minute": time.monotonic() - began < 60}
