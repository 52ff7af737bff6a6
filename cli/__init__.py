"""sasakit.cli: thin commands over the reference, the backends and the judge; one file each."""
