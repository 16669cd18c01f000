"""System checks with ids and hints, which `manage.py check` tells and each start asks (docs/settings.md)."""
