"""One's own pages, the same on every host: settings, password, second factors, sessions."""
