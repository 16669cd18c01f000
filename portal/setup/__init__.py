"""`manage.py setup`: asks for what an installation needs to know, tries each answer, and writes the environment file.

`questions` is the table of what is asked, `trial` has `looks` try answers in a process of its own, which has them as the
portal's will, and `file` reads and writes what shells, systemd and Compose all understand.
"""
