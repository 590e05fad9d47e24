"""Networks: the user's own, read from the files of other tools, with hls4ml settings applied."""
