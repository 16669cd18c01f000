"""How dates and numbers are written, in the languages for which Django does not know it or is ambiguous."""
