"""A name server on loopback that knows a few TXT records, a zone, or one address for all names."""

import socketserver
import threading
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


class NameServer(socketserver.ThreadingUDPServer):
    """`records` may be changed at any time; what is not there does not exist, but for the address `of_all`.

    `zone` has records of all types, by name and type, `*.` included; `verified`: it says that it has verified them.
    """

    daemon_threads = True

    def __init__(self, of_all: str | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.of_all = of_all
        self.records: dict[str, str] = {}
        self.zone: dict[tuple[str, str], list[str]] = {}
        self.verified = False
        self.thread = threading.Thread(target=self.serve_forever, args=[0.02], daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        self.thread.join()


class _Answer(socketserver.BaseRequestHandler):
    server: NameServer

    def handle(self) -> None:
        packet, peer = self.request
        asked = dns.message.from_wire(packet)
        answer: Any = dns.message.make_response(asked)
        name = asked.question[0].name
        text = self.server.records.get(name.to_text(omit_final_dot=True))
        if self.server.of_all:
            if asked.question[0].rdtype == dns.rdatatype.A:
                answer.answer.append(dns.rrset.from_text(name, 60, "IN", "A", self.server.of_all))
        elif self.server.zone:
            self.from_zone(answer, name, dns.rdatatype.to_text(asked.question[0].rdtype))
        elif text is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        else:
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", "TXT", f'"{text}"'))
        peer.sendto(answer.to_wire(), self.client_address)

    def from_zone(self, answer: Any, name: Any, kind: str) -> None:
        asked = name.to_text(omit_final_dot=True).lower()
        known = {at for at, _kind in self.server.zone}
        at = asked if asked in known else f"*.{asked.partition('.')[2]}"
        if at not in known:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif found := self.server.zone.get((at, kind)):
            answer.answer.append(dns.rrset.from_text(name, 60, "IN", kind, *found))
        if self.server.verified:
            answer.flags |= dns.flags.AD
