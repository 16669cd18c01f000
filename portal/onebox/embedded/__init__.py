"""PostgreSQL and Redis as children of the demo and of the tests: sockets in the state directory, no TCP."""
