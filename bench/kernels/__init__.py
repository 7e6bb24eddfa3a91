"""How good and quick the bundled kernels are: `python -m bench.kernels`; how hard to kill: `bench.kernels.kills`."""
