"""Who did what: on a customer's host and on the base host."""
