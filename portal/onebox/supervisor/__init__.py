"""What `make run` starts: the embedded services and every process of the portal, as children of one supervisor.

`run.py` tells the story; `crew.py` keeps the children, `console.py` their lines, `ports.py` and `statedir.py` look
before anything starts, `panel.py` says when all of it is ready. One thread throughout: the kernel ties a child's
life to the thread that started it.
"""
