"""Plain training loops to stand beside the kernels: one program a type, started in a run folder as a kernel is."""
