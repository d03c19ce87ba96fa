#!/bin/sh
# Everything that needs a GPU, in one call of under ten minutes:
#
#     benchmarks/on_gpu.sh RESULTS            RESULTS is a folder; it is made
#
# builds for the GPU at hand, runs the CUDA tests, the benchmarks, and compute-sanitizer's memcheck and racecheck.  Needs
# nvcc, and a python3 (or $PYTHON) with a torch for that GPU, pytest, hypothesis, scipy, ninja and setuptools; no network.
# It works on a copy and leaves the checkout as it is.  Every part has a time limit and a log; one that fails does not
# stop the next, and is named at the end and in the exit status.
set -u
python=${PYTHON:-python3}

machine() {
  nvidia-smi && nvcc --version &&
    "$python" -c 'import torch; print(torch.__version__, torch.version.cuda, torch.cuda.get_device_name())'
}

build() {  # for this GPU's architecture alone
  rm -f reidops/*.so
  REIDOPS_CUDA_ARCHS=${REIDOPS_CUDA_ARCHS:-$("$python" -c \
    'import torch; print("{}.{}".format(*torch.cuda.get_device_capability()))')} || return
  export REIDOPS_CUDA_ARCHS REIDOPS_BUILD_CUDA=1
  "$python" setup.py build_ext --inplace && "$python" -m reidops
}

tests() { "$python" -m pytest -q -p no:cacheprovider -m cuda tests/reidops; }

bench() {
  "$python" -m benchmarks.gpu_affine_sample --out "$results/gpu_affine_sample.json" &&
    "$python" -m benchmarks.gpu_depthwise_xcorr --out "$results/gpu_depthwise_xcorr.json" &&
    "$python" -m benchmarks.gpu_dsr --market --out "$results/gpu_dsr.json"
}

sanitize() {  # sanitize TOOL: small problems through every kernel; torch's own are not looked at
  sanitize_op "$1" sparse_reconstruct 'degenerate or certified_and_as_on_the_cpu' &&
    sanitize_op "$1" affine_sample 'other_dtypes or (as_on_the_cpu and any)' &&
    sanitize_op "$1" depthwise_xcorr 'other_dtypes or tiles or (as_on_the_cpu and same)'
}

sanitize_op() {  # sanitize_op TOOL OP TESTS
  PYTORCH_NO_CUDA_MEMORY_CACHING=1 compute-sanitizer --tool "$1" --kernel-name "kns=$2" --error-exitcode 1 \
    "$python" -m pytest -q -p no:cacheprovider "tests/reidops/test_$2_cuda.py" -k "$3"
}

memcheck() { sanitize memcheck; }
racecheck() { sanitize racecheck; }

if [ $# -eq 3 ] && [ "$1" = --part ]; then  # this script again, under `timeout`, which runs no functions
  results=$3
  "$2"
  exit
fi

[ $# -eq 1 ] || { echo "usage: $0 RESULTS" >&2; exit 2; }
mkdir -p "$1"
results=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$root"/csrc "$root"/reidops "$root"/tests "$root"/benchmarks "$root"/setup.py "$root"/pyproject.toml \
  "$root"/README.md "$root"/LICENSE "$work" && cd "$work" || exit 2
failed=

part() {  # part NAME SECONDS: the output into NAME.log, its end onto the screen
  start=$(date +%s)
  timeout "$2" sh benchmarks/on_gpu.sh --part "$1" "$results" >"$results/$1.log" 2>&1
  status=$?
  [ $status -eq 0 ] || failed="$failed $1"
  echo "== $1: exit status $status after $(($(date +%s) - start)) s"
  tail -n 25 "$results/$1.log"
}

part machine 20
part build 150
part tests 90
part bench 140
part memcheck 80
part racecheck 80

[ -z "$failed" ] || { echo "on_gpu: failed:$failed" >&2; exit 1; }
echo "on_gpu: all is well; see $results"
