"""The benchmark runtime: runs a job list on a device (Python 3.6, numpy and one backend)."""
