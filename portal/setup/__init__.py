"""`manage.py setup`: asks for what an installation needs to know, tries each answer, and writes the environment file.

`questions` is the table of what is asked, `conversation` asks it and says what can't be, `trial` has `probes` try answers in
a process that has them, and nothing else, as the portal's will, and `file` reads and writes what shells, systemd and Compose
all understand.
"""
