"""Mail out: RFC 1939 with CAPA, STLS, AUTH PLAIN, TOP, UIDL, PIPELINING and response codes."""
