"""The operators: one file per operator, with its public function and what torch must know besides its kernels."""
