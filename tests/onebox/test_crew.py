"""The supervisor's crew with real, small children."""

import io
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from portal.onebox.supervisor import crew as crew_module
from portal.onebox.supervisor.crew import Crew
from portal.onebox.supervisor.terminal import LINE_LIMIT, Console, LineBuffer

SECONDS = 20


@pytest.fixture
def crew():
    crew = Crew(Console(io.StringIO()))
    yield crew
    crew.stop()


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(crew_module, "BACKOFF", (0.01,))


def start(crew, program, name="child"):
    child = crew.child(name, [sys.executable, "-c", program], dict(os.environ))
    crew.add(child)
    return child


def said(crew):
    return crew.console._stream.getvalue()


def turn_until(crew, condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, said(crew)
        crew.turn(0.05)


def alive(pid):
    """Whether it runs; one that waits to be reaped by init does not."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return False


def test_lines_carry_the_name_of_who_says_them(crew):
    start(crew, "import sys; print('out'); print('err', file=sys.stderr)\nwhile True: input()", name="web")
    turn_until(crew, lambda: "err" in said(crew))
    assert "web      | out\n" in said(crew)


def test_a_child_that_dies_is_reported_and_started_again(crew, impatient):
    child = start(crew, "import time; print('here', flush=True); time.sleep(600)", name="gateway")
    turn_until(crew, lambda: said(crew).count("here") == 1)

    os.kill(child._process.pid, signal.SIGKILL)
    turn_until(crew, lambda: said(crew).count("here") == 2)
    assert "gateway was killed by SIGKILL. Starting it again" in said(crew)
    assert not crew.stop_wanted


def test_a_child_that_dies_again_and_again_stops_everything(crew, impatient):
    start(crew, "import sys; print('no such table'); sys.exit(3)", name="worker")
    turn_until(crew, lambda: crew.stop_wanted)
    assert crew.exhausted
    assert said(crew).count("no such table") == 1 + crew_module.RESTARTS
    assert "worker ended with status 3; that was the 6th time within 60 s" in said(crew)


def test_what_a_dead_child_started_dies_too(crew, impatient):
    program = """if True:
        import os, subprocess, sys, time
        helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print("helper", helper.pid, flush=True)
        time.sleep(600)
    """
    child = start(crew, program)
    turn_until(crew, lambda: "helper" in said(crew))
    helper = int(said(crew).rsplit("helper ", 1)[1].split()[0])
    assert alive(helper)

    os.kill(child._process.pid, signal.SIGKILL)
    turn_until(crew, lambda: not alive(helper))


def test_children_end_gracefully_and_their_last_words_are_kept(crew):
    program = """if True:
        import signal, sys, time
        def bye(*_):
            print("finished what I had begun")
            sys.exit()
        signal.signal(signal.SIGTERM, bye)
        print("ready", flush=True)
        time.sleep(600)
    """
    child = start(crew, program)
    turn_until(crew, lambda: "ready" in said(crew))
    crew.stop()
    assert child.status() == 0
    assert "finished what I had begun" in said(crew)


def test_a_child_that_will_not_end_is_ended_by_force(crew, monkeypatch):
    monkeypatch.setattr(crew_module, "GRACE_SECONDS", 0.1)
    program = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
    )
    child = start(crew, program, name="worker")
    turn_until(crew, lambda: "ready" in said(crew))
    crew.stop()
    assert child.status() == -signal.SIGKILL
    assert "Ending worker by force." in said(crew)


@pytest.mark.parametrize(("program", "succeeded"), [("print('done')", True), ("raise SystemExit(2)", False)])
def test_a_step_runs_to_its_end(crew, program, succeeded):
    assert crew.run_step("step", [sys.executable, "-c", program], dict(os.environ)) is succeeded
    assert ("done" in said(crew)) is succeeded


def test_a_line_without_end_is_cut_rather_than_kept():
    buffer = LineBuffer()
    assert buffer.feed(b"one\ntw") == ["one"]
    assert buffer.feed(b"o\r\n") == ["two"]
    (cut,) = buffer.feed(b"x" * (LINE_LIMIT + 1))
    assert len(cut) == LINE_LIMIT + 1
    assert buffer.finish() == []


def test_a_terminal_that_is_gone_stops_nobody():
    reader, writer = os.pipe()
    os.close(reader)
    with suppress(BrokenPipeError), os.fdopen(writer, "w") as stream:
        Console(stream).relay("web", "line")
