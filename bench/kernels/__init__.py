"""How good and how quick the bundled kernels are: `python -m bench.kernels`, and how hard to kill: `bench.kernels.kills`."""
