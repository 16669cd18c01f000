"""The two kinds of hosts, and which pages they have."""
