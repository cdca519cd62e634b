"""Inspect and control commands, and what is published."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

from cases.registry import case
from cases.session import FOLDER, REPLY_SECONDS, Session, outcome_of, pick, until

#: Queues that the guide names, with that of forecasts.
QUEUES = {"celery", "predictions", "batch", "explanations", "forecasts"}


@case("inspect ping", lane="inspect")
def ping(session: Session):
    return session.ask("ping")


@case("inspect registered", lane="inspect")
def registered(session: Session):
    """Names of ml tasks; what stands after a name in brackets is Celery's own."""
    return sorted(name.split(" ")[0] for name in session.ask("registered") if name.startswith("ml."))


@case("inspect stats", lane="inspect")
def stats(session: Session):
    reply = session.ask("stats")
    outcome_of(session.predict())
    later = session.ask("stats")
    name = "ml.process_prediction"
    pool = reply["pool"]
    return {
        "keys": sorted(set(reply) & {"broker", "clock", "pid", "pool", "prefetch_count", "rusage", "total", "uptime"}),
        "broker": {key: reply["broker"].get(key) for key in ("transport", "virtual_host")},
        "types": {key: type(reply[key]).__name__ for key in ("pid", "prefetch_count", "uptime", "total")},
        "pool": {key: type(pool.get(key)).__name__ for key in ("max-concurrency", "processes", "timeouts")},
        "counts": later["total"][name] > reply["total"].get(name, 0),
        "rusage": type(reply["rusage"]["utime"]).__name__,
    }


@case("inspect active_queues", lane="inspect")
def active_queues(session: Session):
    """A worker may serve more queues than those."""
    found = [each for each in session.ask("active_queues") if each["name"] in QUEUES]
    return sorted((each["name"], each["routing_key"], each["exchange"]["type"]) for each in found)


@case("inspect conf", lane="inspect")
def conf(session: Session):
    return pick(session.ask("conf"), "task_track_started", "timezone")


@case("inspect report and clock", lane="inspect")
def report_and_clock(session: Session):
    first, second = session.ask("clock")["clock"], session.ask("clock")["clock"]
    return {"report": len(session.ask("report")["ok"]) > 20, "clock": first <= second}


@case("inspect of unknown tasks", lane="inspect")
def query_unknown(session: Session):
    return {"query_task": session.ask("query_task", "nobody-sent-this")}


@case("hello of another worker", lane="inspect")
def hello(session: Session):
    """A worker that starts asks the others for what was revoked."""
    result = session.predict(countdown=2)
    session.revoke(result.id)
    until(lambda: result.id in session.ask("revoked"), "the revoked id")
    reply = session.ask("hello", "another@client", revoked={})
    outcome_of(result)
    return {"revoked": result.id in reply["revoked"], "clock": reply["clock"] > 0}


@case("destination and patterns", lane="patterns")
def patterns(session: Session):
    name = session.worker.split("@")[0]
    asked = {
        "everyone": {"limit": 1},
        "destination": {"destination": [session.worker]},
        "another": {"destination": ["nobody@nowhere"]},
        "glob": {"pattern": f"{name[:3]}*", "matcher": "glob", "limit": 1},
        "another glob": {"pattern": "zzz*", "matcher": "glob"},
        "pcre": {"pattern": f"^{re.escape(name)}@.+$", "matcher": "pcre", "limit": 1},
        "another pcre": {"pattern": "^zzz", "matcher": "pcre"},
    }
    replies = {key: session.broadcast("ping", timeout=1.5, **options) for key, options in asked.items()}
    return {key: [reply[session.worker] for reply in found] for key, found in replies.items()}


@case("an unknown command", lane="inspect")
def unknown_command(session: Session):
    """The worker goes on."""
    reply = session.broadcast("no_such_command", destination=[session.worker], timeout=REPLY_SECONDS)
    return {"reply": reply[0][session.worker], "ping": session.ask("ping")}


@case("add_consumer and cancel_consumer", lane="control")
def consumers(session: Session):
    """LLEN is the backlog of a queue that is not consumed."""
    queue = f"extra-{session.new_id()}"
    waiting = [session.predict(queue=queue) for _ in range(5)]
    before = session.queue_length(queue)
    added = session.command("add_consumer", queue)
    states = [outcome_of(each, "status")["state"] for each in waiting]
    shown = queue in [each["name"] for each in session.ask("active_queues")]
    cancelled = session.command("cancel_consumer", queue)
    until(lambda: queue not in [each["name"] for each in session.ask("active_queues")], "the queue to be gone")
    session.predict(queue=queue)
    outcome_of(session.predict())
    after = session.queue_length(queue)
    session.broker.delete(queue)
    replies = [str(each).replace(queue, "extra") for each in (added, cancelled)]
    return {"before": before, "states": states, "shown": shown, "after": after, "replies": replies}


@case("priorities: the lowest number first, in order", lane="control")
def priorities(session: Session):
    queue = f"priorities-{session.new_id()}"
    order = (9, 6, 3, 0, 9, 3, 0, 6)
    sent = [(priority, session.predict(queue=queue, priority=priority).id) for priority in order]
    lengths = [session.queue_length(f"{queue}{suffix}") for suffix in ("", "\x06\x163", "\x06\x166", "\x06\x169")]
    session.command("add_consumer", queue)
    for _, task_id in sent:
        outcome_of(session.app.AsyncResult(task_id))
    session.command("cancel_consumer", queue)
    ids = [task_id for _, task_id in sent]
    received = [
        each["uuid"] for each in list(session.events.all) if each["type"] == "task-received" and each["uuid"] in ids
    ]
    priority_of = {task_id: priority for priority, task_id in sent}
    expected = [task_id for _, task_id in sorted(sent, key=lambda pair: pair[0])]
    return {"lengths": lengths, "order": [priority_of[each] for each in received], "as sent": received == expected}


@case("rate_limit, time_limit, enable and disable events", lane="control")
def limits(session: Session):
    return {
        "rate": session.command("rate_limit", "ml.health_check", "1000/s"),
        "no rate": session.command("rate_limit", "ml.health_check", "0"),
        "bad rate": "error" in session.command("rate_limit", "ml.health_check", "abc"),
        "rate of unknown": session.command("rate_limit", "ml.no_such_task", "1/s"),
        "time": session.command("time_limit", "ml.update_forecasts", soft=1500, hard=1800),
        "time of unknown": session.command("time_limit", "ml.no_such_task", soft=1, hard=2),
        "events": session.command("enable_events"),
    }


@case("task events only while they are enabled", phase="alone")
def events_on_and_off(session: Session):
    disabled = session.command("disable_events")
    silent = session.predict()
    outcome_of(silent)
    enabled = session.command("enable_events")
    return {
        "replies": [disabled, enabled],
        "silent": session.never_started(silent.id) and session.events.types_of(silent.id) == [],
    }


@case("pool_grow and pool_shrink", phase="alone")
def pool(session: Session):
    def size():
        return len(session.ask("stats")["pool"]["processes"])

    # Those that earlier cases have ended are being replaced.
    before = session.processes
    until(lambda: size() == before, f"the pool of {size()} to have its {before} processes")
    grow = session.command("pool_grow", 1)
    until(lambda: size() == before + 1, "the pool to grow")
    shrink = session.command("pool_shrink", 1)
    until(lambda: size() == before, "the pool to shrink")
    return {"grow": grow, "shrink": shrink, "works": outcome_of(session.predict(), "status")}


@case("autoscale and pool_restart are answered", phase="alone")
def optional_commands(session: Session):
    """A Celery worker replies that they are not enabled. Processes may be replaced for a while: this comes last."""
    replies = {
        "autoscale": session.command("autoscale", 8, 8),
        "pool_restart": session.command("pool_restart"),
    }
    return {**{name: isinstance(reply, dict) for name, reply in replies.items()}, "ping": session.ask("ping")}


@case("heartbeats", lane="events")
def heartbeats(session: Session):
    fields = ("hostname", "freq", "active", "processed", "loadavg", "sw_ident", "sw_ver", "sw_sys", "clock", "pid")
    event = session.events.wait("worker-heartbeat", hostname=session.worker)
    first = len(session.events.all)
    until(
        lambda: any(
            each["type"] == "worker-heartbeat" and each["hostname"] == session.worker
            for each in session.events.all[first:]
        ),
        "another heartbeat",
        seconds=10,
    )
    return {"fields": [key for key in fields if key in event], "freq": event["freq"]}


@case("events of a success", lane="events")
def events_of_success(session: Session):
    result = session.predict()
    result.get(timeout=20)
    session.events.wait("task-succeeded", uuid=result.id)
    received = session.events.find("task-received", uuid=result.id)
    succeeded = session.events.find("task-succeeded", uuid=result.id)
    fields = ("uuid", "name", "args", "kwargs", "root_id", "parent_id", "retries", "eta", "expires")
    return {
        "types": session.events.types_of(result.id),
        "received": [key for key in fields if key in received],
        **pick(received, "name", "retries", "eta", "expires"),
        "root": received["root_id"] == result.id,
        "succeeded": [key for key in ("result", "runtime") if key in succeeded],
        "hostname": received["hostname"] == session.worker,
    }


@case("events of a failure", lane="events")
def events_of_failure(session: Session):
    result = session.predict({"mmse_score": 99})
    outcome_of(result)
    event = session.events.wait("task-failed", uuid=result.id)
    return {
        "types": session.events.types_of(result.id),
        "exception": str(event["exception"]).split("(")[0],
        "traceback": type(event["traceback"]).__name__,
    }


@case("events of a revoked call", lane="events")
def events_of_revoked(session: Session):
    result = session.predict(countdown=2)
    session.revoke(result.id)
    outcome_of(result)
    event = session.events.wait("task-revoked", uuid=result.id)
    return pick(event, "terminated", "expired", "signum")


@case("the celery command line", phase="alone")
def command_line(session: Session):
    def celery(*arguments: str):
        program = [sys.executable, "-m", "celery", "-A", "celery_worker", *arguments]
        return subprocess.run(program, cwd=FOLDER, env=os.environ, capture_output=True, text=True, timeout=60)

    to = ["-d", session.worker, "-t", str(REPLY_SECONDS), "--json"]
    status = celery("status", *to)
    inspect_ping = celery("inspect", *to, "ping")
    task_id = session.predict().id
    outcome_of(session.app.AsyncResult(task_id))
    called = celery("call", "ml.health_check")
    return {
        "status": [status.returncode, session.worker in status.stdout],
        "inspect ping": [inspect_ping.returncode, json.loads(inspect_ping.stdout)[session.worker]],
        "result": celery("result", task_id).returncode,
        "call": outcome_of(session.app.AsyncResult(called.stdout.strip()), "status"),
    }
