"""The pages, and nothing else: find, ask the services, answer."""
