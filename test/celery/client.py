"""Every case of a Celery client against one worker: prints one line of JSON for each, with what the case has seen.

    CELERY_BROKER_URL=... CELERY_RESULT_BACKEND=... python client.py --worker NAME [--list] [CASE ...]

Two workers behave the same if the lines are the same: outcomes hold no ids, times or names of nodes. Where the gateway
differs from Celery by design, `gateway` has what it shows instead and `why` the reason. Progress goes to stderr; exit
code 1 says that a case ended with an error that it did not expect.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import logging
import os
import sys
import threading
import time
import traceback
from collections.abc import Iterable

import celery

from cases import calls, canvas, control, failures, flower, mixed, privacy, producers, running, times  # noqa: F401
from cases.registry import CASES, PHASES, Case
from cases.session import Session

VERSION = tuple(int(part) for part in celery.__version__.split(".")[:2])


def run_case(case: Case, session: Session, outcomes: dict[str, object]) -> None:
    began = time.monotonic()
    try:
        outcomes[case.name] = case.run(session)
        state = "ok"
    except Exception as failure:
        traceback.print_exc()
        outcomes[case.name] = {"error": f"{type(failure).__name__}: {failure}"}
        state = "ERROR"
    sys.stderr.write(f"{time.monotonic() - began:6.1f} s  {state:5}  {case.name}\n")


def run_phase(cases: Iterable[Case], session: Session, outcomes: dict[str, object]) -> None:
    lanes: dict[str, list[Case]] = {}
    for each in cases:
        lanes.setdefault(each.lane, []).append(each)

    def run_lane(lane: list[Case]) -> None:
        for each in lane:
            run_case(each, session, outcomes)

    threads = [threading.Thread(target=run_lane, args=[lane]) for lane in lanes.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def chosen(names: list[str]) -> list[Case]:
    known = [each for each in CASES.values() if each.since <= VERSION]
    if not names:
        return [each for each in known if each.phase != "outside"]
    unknown = [name for name in names if name not in CASES]
    if unknown:
        raise SystemExit(f"no such case: {', '.join(unknown)}. See --list.")
    return [each for each in known if each.name in names]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worker", help="name of the worker, as in `celery status`")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    parser.add_argument("cases", nargs="*", help="cases to run; default: all that need nothing from outside")
    options = parser.parse_args()
    cases = chosen(options.cases)
    if options.list:
        print("\n".join(f"{each.phase:10} {each.name}" for each in CASES.values()))
        return 0
    if not options.worker:
        parser.error("--worker is missing")
    logging.disable(logging.WARNING)
    # Celery 5.2 unsubscribes in the destructor of a result: only the thread that reads its connection may do that.
    gc.disable()
    session = Session(options.worker)
    if any(each.phase != "outside" for each in cases):
        session.start()
    outcomes: dict[str, object] = {}
    for phase in PHASES:
        of_phase = [each for each in cases if each.phase == phase]
        beside = session.python() if phase == "mixed" and of_phase else contextlib.nullcontext()
        with beside:
            run_phase(of_phase, session, outcomes)
    failed = False
    for each in cases:
        outcome = outcomes[each.name]
        failed = failed or (isinstance(outcome, dict) and "error" in outcome)
        differs = {"gateway": each.gateway, "why": each.why} if each.why and VERSION < each.before else {}
        print(json.dumps({"case": each.name, "outcome": outcome, **differs}, ensure_ascii=False))
    return 1 if failed else 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # The destructors of results would use connections that are closed by then.
    os._exit(status)
