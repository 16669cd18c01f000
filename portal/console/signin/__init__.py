"""Signing in, the same on every host, and the way back for who forgot the password."""
