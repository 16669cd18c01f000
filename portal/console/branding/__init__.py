"""Branding: how a provider looks to its people and its customers' people. On the base host."""
