#!/bin/sh
# Everything that needs a GPU, in one call of under ten minutes:
#
#     benchmarks/on_gpu.sh RESULTS            RESULTS is a folder; it is made
#
# builds for the GPU at hand, runs the CUDA tests, the benchmarks, and compute-sanitizer's memcheck and racecheck.  Needs
# a python3 (or $PYTHON) with a torch for that GPU, pytest, hypothesis and scipy, and to build nvcc, ninja and setuptools;
# without nvcc it takes the libraries that are in the checkout.  No network.  It works on a copy and leaves the checkout
# as it is.
#
# Each step has its own limit of time, a log, and a line in summary.txt.  One that fails does not stop the next, and is
# named in the exit status; one whose tool is not there is skipped, which is no failure.
set -u
python=${PYTHON:-python3}
skipped=77  # exit status of a step whose tool is not there

machine() {
  nvidia-smi
  nvcc --version
  "$python" -c 'import torch; print(torch.__version__, torch.version.cuda, torch.cuda.get_device_name())'
}

build() {  # for this GPU's architecture alone
  if command -v nvcc >/dev/null; then
    rm -f reidops/*.so
    REIDOPS_CUDA_ARCHS=${REIDOPS_CUDA_ARCHS:-$("$python" -c \
      'import torch; print("{}.{}".format(*torch.cuda.get_device_capability()))')} || return
    export REIDOPS_CUDA_ARCHS REIDOPS_BUILD_CUDA=1
    "$python" setup.py build_ext --inplace || return
  else
    echo "there is no nvcc: the libraries of the checkout are used"
  fi
  "$python" -m reidops
}

tests() { "$python" -m pytest -q -p no:cacheprovider -m cuda tests/reidops; }

bench() { "$python" -m "benchmarks.gpu_$1" --out "$results/gpu_$1.json"; }
bench_affine() { bench affine_sample; }
bench_xcorr() { bench depthwise_xcorr; }
bench_projected() { bench projected_xcorr; }
bench_dsr() { "$python" -m benchmarks.gpu_dsr --market 60 --out "$results/gpu_dsr.json"; }

# Small problems through every kernel of ours; torch's are not looked at.  One process, because each takes long to start,
# and of the types float32, with its second pass in double, and one half type.
sanitize() {
  command -v compute-sanitizer >/dev/null || { echo "there is no compute-sanitizer"; return $skipped; }
  PYTORCH_NO_CUDA_MEMORY_CACHING=1 compute-sanitizer --tool "$1" --kernel-name kns=reidops --error-exitcode 1 \
    "$python" -m pytest -q -x -p no:cacheprovider -m cuda -k '(float32 or float16) and not bfloat16' \
    tests/reidops/test_every_kernel_cuda.py
}
memcheck() { sanitize memcheck; }
racecheck() { sanitize racecheck; }

if [ $# -eq 3 ] && [ "$1" = --step ]; then  # this script again, under `timeout`, which runs no functions
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
: >"$results/summary.txt"

step() {  # step NAME SECONDS: the output into NAME.log, its end onto the screen
  start=$(date +%s)
  timeout -k 5 "$2" sh benchmarks/on_gpu.sh --step "$1" "$results" >"$results/$1.log" 2>&1
  status=$?
  case $status in
    0) verdict=passed ;;
    "$skipped") verdict=skipped ;;
    124 | 137) verdict="out of time" failed="$failed $1" ;;
    *) verdict=failed failed="$failed $1" ;;
  esac
  echo "$1: $verdict, exit status $status after $(($(date +%s) - start)) s of $2" | tee -a "$results/summary.txt"
  tail -n 25 "$results/$1.log"
}

step machine 15
step build 150
step tests 90
step bench_dsr 120
step bench_affine 30
step bench_xcorr 25
step bench_projected 20
step memcheck 70
step racecheck 70

echo && cat "$results/summary.txt"
[ -z "$failed" ] || { echo "on_gpu: failed:$failed" >&2; exit 1; }
echo "on_gpu: nothing failed; see $results"
