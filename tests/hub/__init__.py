"""A Hugging Face Hub on this machine, with faults on demand."""
