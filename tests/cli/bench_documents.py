"""A machine and its ceilings, as the documents of `sasakit bench` have them."""

CEILINGS = {"multiply_add": [{"threads": 1, "gflops": 8.0}, {"threads": 2, "gflops": 16.0}],
            "copy_gbytes": 4.0}
MACHINE = {"cpu": {"name": "znver3", "instruction_set": "avx2", "float32_lanes": 8}, "cores": 2,
           "threads": 2, "threading_layer": "tbb", "system": "Linux", "python": "3.11.7",
           "packages": {"numba": "0.68.1"}, "environment": {"OMP_NUM_THREADS": "1"}}
