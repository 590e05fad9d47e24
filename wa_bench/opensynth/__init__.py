"""The open toolchain: integer networks, Verilog, simulation, synthesis, records."""
