"""A customer's people, a provider's team, and the way in by invitation."""
