"""Where a provider's people sign in. On the base host."""
