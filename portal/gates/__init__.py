"""The questions that each request is asked before a page is: in settings.MIDDLEWARE, in their order."""
