"""What allauth is told: how signing in works here. With `accounts.openid.protocol` the only part of a room that knows requests."""
