"""Signing in by an identity provider: the protocol, and whose word counts."""
