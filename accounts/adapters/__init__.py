"""What allauth is told: how signing in works here. With `protocol` and `sign_in` of accounts.openid the only part of a room
that knows requests.
"""
