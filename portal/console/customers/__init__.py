"""The customers whom a person may enter. On the base host."""
