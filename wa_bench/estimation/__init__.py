"""Estimates: what the user's own network would cost on an FPGA, as a surrogate sees it."""
