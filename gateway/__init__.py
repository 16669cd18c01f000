"""The wire: SMTP in, POP3 out, TLS and limits. No business rule of its own; `mailboxes.services` decides."""
