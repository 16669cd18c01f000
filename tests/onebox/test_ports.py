import socket
import types

import pytest

from portal.network import bracketed, is_loopback
from portal.onebox.supervisor import ports
from portal.onebox.supervisor.ports import Port
from portal.onebox.supervisor.statedir import AlreadyRunning, StateDirLock


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_named_with_who_wants_it_and_what_moves_it(taken):
    (text,) = ports.complaints("127.0.0.1", [Port(taken, "SMTP", "GATEHOUSE_SMTP_PORT")])
    assert f"Port {taken} on 127.0.0.1 (SMTP) is taken" in text
    assert "set GATEHOUSE_SMTP_PORT to another port" in text


def test_every_taken_port_is_named_at_once(taken):
    wanted = [Port(taken, "SMTP", "GATEHOUSE_SMTP_PORT"), Port(taken, "POP3", "GATEHOUSE_POP3_PORT")]
    assert len(ports.complaints("127.0.0.1", wanted)) == 2


def test_a_free_port_is_no_complaint_even_with_lingering_connections(taken):
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", free)):
            server.accept()[0].close()  # the side that closes first lingers
    assert ports.complaints("127.0.0.1", [Port(free, "SMTP", "GATEHOUSE_SMTP_PORT")]) == []


def test_a_port_to_be_chosen_is_refused_for_nobody_would_know_it():
    (text,) = ports.complaints("127.0.0.1", [Port(0, "SMTP", "GATEHOUSE_SMTP_PORT")])
    assert "must be a fixed one" in text


@pytest.mark.parametrize("bind", ["192.0.2.1", "no.such.host.invalid"])
def test_a_foreign_address_names_its_variable(bind):
    (text,) = ports.complaints(bind, [Port(2, "SMTP", "GATEHOUSE_SMTP_PORT")])
    assert "GATEHOUSE_BIND" in text


def test_all_five_ports_are_looked_at():
    names = ["HTTP_PORT", "SMTP_PORT", "SMTPS_PORT", "POP3_PORT", "POP3S_PORT"]
    settings = types.SimpleNamespace(**{name: number for number, name in enumerate(names)})
    assert [port.variable for port in ports.wanted(settings)] == [f"GATEHOUSE_{name}" for name in names]


@pytest.mark.parametrize(
    ("bind", "ours_alone"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("::1", True), ("localhost", True)]
    + [("0.0.0.0", False), ("::", False), ("192.0.2.1", False), ("example.com", False)],
)
def test_loopback_is_what_no_other_machine_reaches(bind, ours_alone):
    assert is_loopback(bind) is ours_alone


def test_an_address_with_colons_stands_in_brackets():
    assert (bracketed("::1"), bracketed("127.0.0.1")) == ("[::1]", "127.0.0.1")


def test_a_state_directory_has_one_supervisor(tmp_path):
    first, second = StateDirLock(tmp_path / "state"), StateDirLock(tmp_path / "state")
    first.take()
    with pytest.raises(AlreadyRunning, match="already runs in .*state .process \\d+."):
        second.take()

    first.release()
    second.take()
    assert not second.left_unclean
    second.release()


def test_a_killed_supervisor_is_noticed_by_the_next(tmp_path):
    killed = StateDirLock(tmp_path)
    killed.path.write_text("4711\n")
    following = StateDirLock(tmp_path)
    following.take()
    assert following.left_unclean
    following.release()
