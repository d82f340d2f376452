"""Records: the one vocabulary that host and device share (Python 3.6, standard library only)."""
