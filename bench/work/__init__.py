"""Work that takes long: stopped and resumed, on this machine or on a Ray cluster."""
