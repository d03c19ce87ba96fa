# make test    sets up .venv and runs every check: ruff, mypy, pytest, and the C++ tests where there is cmake
# make cpp     those alone; where there is nvcc the CUDA example is compiled and linked, for one architecture
# make demo    sets up .venv, trains the small model on synthetic people, and writes tables and a report into demo/
# make bench   the benchmarks
# make spills  prints registers and spills of the CUDA library that was built; needs nvcc, not a GPU
# make machine-code  reads the compiled kernels and fails where a hot loop has become slower, then runs them on a CPU and
#              compares with torch; needs nvcc, not a GPU
# make emulated  the CUDA kernels' tests once more, with the rounding of nvcc and the shared memory of a small GPU
# make clean   removes what was built, but not .venv
#
# Setting up is done anew only when the sources of the compiled libraries, or what they depend on, have changed.

PYTHON ?= python3
BIN := .venv/bin

BUILD_INPUTS := setup.py pyproject.toml constraints.txt $(shell find csrc -type f -not -path '*/__pycache__/*')

#: Tests of tests/emulator that run nvcc's machine code, where there is nvcc, in place of g++'s.
ON_MACHINE_CODE := (equal_to_torch and (float32 or any or magnified)) or (every_size and float32)
ON_MACHINE_CODE += or (certified_below and dense and 0.001)

.PHONY: install test lint pytest cpp demo bench spills machine-code emulated clean

install: .venv/installed

.venv/ready: constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt torch numpy ninja packaging setuptools wheel
	touch $@

.venv/installed: .venv/ready $(BUILD_INPUTS)
	$(BIN)/pip install --quiet --constraint constraints.txt --no-build-isolation --editable '.[dev,models]'
	touch $@

test: lint pytest cpp

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

pytest: install
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses=auto --maxprocesses=8 --dist=loadgroup

cpp: install
	@if command -v cmake >/dev/null; then \
	  $(BIN)/python csrc/cuda_toolchain.py build/stub >/dev/null && cuda=ON || cuda=OFF; \
	  REIDOPS_CUDA_ARCHS=9.0 cmake -S . -B build/cmake -G Ninja -DPython_EXECUTABLE=$(CURDIR)/$(BIN)/python \
	    -DCMAKE_MAKE_PROGRAM=$(CURDIR)/$(BIN)/ninja -DREIDOPS_CUDA=$$cuda && \
	  cmake --build build/cmake --target checks && ctest --test-dir build/cmake --output-on-failure; \
	else echo "cpp: skipped: there is no cmake"; fi

demo: install
	$(BIN)/reidops demo --out demo

bench: install
	$(BIN)/pytest benchmarks --benchmark-only

spills: install
	$(BIN)/python csrc/check_spills.py

machine-code: install
	$(BIN)/python csrc/check_machine_code.py
	OMP_NUM_THREADS=1 REIDOPS_MACHINE_CODE=1 $(BIN)/pytest --numprocesses=auto --maxprocesses=8 tests/emulator \
	  -k "($(ON_MACHINE_CODE)) and not race"

# Left to `make test`: the race build, in which rounding and the size of shared memory are the same, and planted bugs.
emulated: install
	OMP_NUM_THREADS=1 REIDOPS_EMULATED_CONTRACTION=1 REIDOPS_EMULATED_SHARED_KB=99 \
	  $(BIN)/pytest --numprocesses=auto --maxprocesses=8 tests/emulator -k "not race and not planted and not noticed"

clean:
	rm -rf build dist *.egg-info .venv/installed reidops/*.so
