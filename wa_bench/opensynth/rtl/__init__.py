"""Verilog of an integer network."""
