#!/bin/bash
# Checks the CUDA backend on a host with a GPU, in under nine minutes: builds it, runs the tests there, lets compute-sanitizer look for errors,
# and measures it beside PyTorch and JAX. docs/gpu.md
#   scripts/gpu-check.sh [--only build|test|sanitize|bench]... [--out FOLDER] [--python PATH] [--device cuda|simt] [--seconds 525] [--tiny]
# Needs nvcc, cmake and ninja or make; and Node 20 with node_modules, or build-gpu/bundle.tar.xz made by scripts/gpu-bundle.sh. No network.
# --device simt, --tiny: the same with the emulator and with small sizes, to try this script where there is no GPU.
set -uo pipefail
cd "$(dirname "$0")/.."

only=()
out=${OUT:-}
python=${PYTHON:-python3}
device=cuda
total=525
tiny=''
usage() { sed -n '2,7s/^# \{0,1\}//p' "$0"; }
while (($#)); do
  case $1 in
    --only) only+=("${2:?}"); shift ;;
    --out) out=${2:?}; shift ;;
    --python) python=${2:?}; shift ;;
    --device) device=${2:?}; shift ;;
    --seconds) total=${2:?}; shift ;;
    --tiny) tiny=--tiny ;;
    --help) usage; exit ;;
    *) echo "There is no option $1." >&2; usage >&2; exit 2 ;;
  esac
  shift
done
((${#only[@]})) || only=(build test sanitize bench)
for stage in "${only[@]}"; do
  [[ $stage =~ ^(build|test|sanitize|bench)$ ]] || { echo "--only: there is no stage \"$stage\"." >&2; exit 2; }
done

work=build-gpu
mkdir -p "$work"
logs=${out:-$work}/logs
mkdir -p "$logs" || exit 2
steps=$logs/steps.tsv
: >"$steps"
rm -f "$logs"/tests-*.json "$logs/bench.json" # of an earlier run
failed=0
echo "Logs: $logs"

# ---- steps: each has its time, and none stops the others ---------------------------------------------------------------

record() { # stage, step, ok|failed|out of time|not run, seconds, detail
  printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "$5" >>"$steps"
  printf '%-9s %-12s %-12s %4s s  %s\n' "$@"
  [ "$3" = ok ] || failed=1
}

# What a log says in one line.
gist() {
  local line
  line=$(sed 's/\x1b\[[0-9;]*m//g' "$1" | grep -E '^ *Tests +[0-9]|ERROR SUMMARY|^[0-9]+ (of [0-9]+ )?computations' | head -2 | paste -sd ' ')
  [ -n "$line" ] || line=$(sed 's/\x1b\[[0-9;]*m//g' "$1" | grep -E 'error:|Error:|FAILED' | head -1)
  [ -n "$line" ] || line=$(sed 's/\x1b\[[0-9;]*m//g' "$1" | grep -v '^ *$' | tail -1)
  printf '%s' "$line" | tr '\t' ' ' | sed 's/^ *//' | cut -c1-150
}

stage=''
step() { # name, second by which it must end, command …
  local name=$1 by=$2 log=$logs/$1.log began=$SECONDS
  shift 2
  local left=$((by - SECONDS))
  if ((left < 3)); then
    record "$stage" "$name" 'not run' 0 'no time was left for it'
    return 1
  fi
  timeout --kill-after=5 "$left" "$@" >"$log" 2>&1 </dev/null
  local status=$?
  case $status in
    0) record "$stage" "$name" ok $((SECONDS - began)) "$(gist "$log")" ;;
    124 | 137) record "$stage" "$name" 'out of time' $((SECONDS - began)) "ended after $left s; $(gist "$log")" ;;
    *) record "$stage" "$name" failed $((SECONDS - began)) "status $status: $(gist "$log")" ;;
  esac
  return $status
}

# Written after every stage: whatever ends this script early, what was found until then stays.
report() { "$node" scripts/gpu-report.mjs --logs "$logs" --out "${out:-bench/results}" --device "$device" --gpu "$gpu" $tiny; }

# Seconds, from the start, by which each stage must have ended; what one leaves over is the next one's.
declare -A weight=([build]=180 [test]=130 [sanitize]=70 [bench]=145) ends=()
sum=0
for stage in build test sanitize bench; do [[ " ${only[*]} " == *" $stage "* ]] && sum=$((sum + weight[$stage])); done
so_far=0
for stage in build test sanitize bench; do
  [[ " ${only[*]} " == *" $stage "* ]] || continue
  so_far=$((so_far + weight[$stage]))
  ends[$stage]=$((total * so_far / sum))
done
wanted() { stage=$1; [ -n "${ends[$1]:-}" ]; }

# ---- Node: the host's, or the bundle's -----------------------------------------------------------------------------------

bundle=$work/bundle.tar.xz
from_bundle() { # a path in it
  [ -f "$bundle" ] || return 1
  if command -v xz >/dev/null; then
    tar -xJf "$bundle" --strip-components=1 "downhill/$1"
  else # Python's tarfile knows xz
    "$python" - "$bundle" "downhill/$1" <<'PYTHON'
import sys, tarfile
with tarfile.open(sys.argv[1]) as bundle:
    for member in bundle:
        if member.name == sys.argv[2] or member.name.startswith(sys.argv[2] + '/'):
            member.name = member.name.split('/', 1)[1]
            if member.islnk():
                member.linkname = member.linkname.split('/', 1)[1]
            bundle.extract(member)
PYTHON
  fi
}
new_enough() { command -v "$1" >/dev/null && "$1" -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)'; }
node=node
if ! new_enough node; then
  node=$PWD/$work/node
  [ -x "$node" ] || from_bundle "$work/node" || true
  new_enough "$node" || node=''
fi
[ -d node_modules/vitest ] || from_bundle node_modules || true
if [ -z "$node" ] || [ ! -d node_modules/vitest ]; then
  echo "Neither Node 20 with node_modules nor $bundle is here. On a machine with a network: npm ci; scripts/gpu-bundle.sh, then copy that file here." >&2
  exit 2
fi
export PATH="$(dirname "$(command -v "$node")"):$PATH"
[ -e .git ] || from_bundle "$work/commit" || true

command -v nvcc >/dev/null || [ ! -x /usr/local/cuda/bin/nvcc ] || export PATH="$PATH:/usr/local/cuda/bin"
# "name, driver, compute capability, memory" of the first GPU: by nvidia-smi, which some containers lack, else by the driver itself.
gpu=$(nvidia-smi --query-gpu=name,driver_version,compute_cap,memory.total --format=csv,noheader 2>/dev/null | head -1)
[[ $gpu =~ ,\ [0-9]+\.[0-9],\  ]] || gpu=$("$python" - 2>/dev/null <<'PYTHON'
import ctypes
driver = ctypes.CDLL('libcuda.so.1')
device, version, major, minor = (ctypes.c_int() for _ in range(4))
name, memory = ctypes.create_string_buffer(100), ctypes.c_size_t()
asked = [
    driver.cuInit(0),
    driver.cuDriverGetVersion(ctypes.byref(version)),
    driver.cuDeviceGet(ctypes.byref(device), 0),
    driver.cuDeviceGetName(name, 100, device),
    driver.cuDeviceGetAttribute(ctypes.byref(major), 75, device),
    driver.cuDeviceGetAttribute(ctypes.byref(minor), 76, device),
    driver.cuDeviceTotalMem_v2(ctypes.byref(memory), device),
]
if not any(asked):
    cuda = f'for CUDA {version.value // 1000}.{version.value % 1000 // 10}'
    print(f'{name.value.decode()}, {cuda}, {major.value}.{minor.value}, {memory.value >> 20} MiB')
PYTHON
)
echo "GPU: ${gpu:-none is found by nvidia-smi or the driver}; Node $("$node" --version); $(nvcc --version 2>/dev/null | grep -o 'release [0-9.]*' || echo 'no nvcc')"
if [ "$device" = cuda ] && [ -z "$gpu" ]; then
  echo 'There is no GPU here: nothing but the build can succeed. To try this script: --device simt --tiny.'
fi

# ---- build ---------------------------------------------------------------------------------------------------------------

library=downhill_$device
if wanted build; then
  capability=80
  [[ $gpu =~ ,\ ([0-9]+)\.([0-9]),\  ]] && capability=${BASH_REMATCH[1]}${BASH_REMATCH[2]}
  [ "$capability" = 90 ] && capability=90a
  architecture=$capability-real
  known=$(nvcc --list-gpu-code 2>/dev/null) # an nvcc that is older than the GPU makes PTX, which the driver translates
  if [ -n "$known" ] && ! grep -qx "sm_$capability" <<<"$known"; then
    newest=$(nvcc --list-gpu-arch | grep -oE '[0-9]+$' | sort -n | tail -1)
    [ -z "$newest" ] || architecture=$newest-virtual
  fi
  generator=()
  command -v ninja >/dev/null && [ ! -f "$work/native/CMakeCache.txt" ] && generator=(-G Ninja)
  options=(-DCMAKE_BUILD_TYPE=Release "-DCMAKE_JS_INC=$PWD/node_modules/node-api-headers/include;$PWD/node_modules/node-addon-api")
  [ "$device" = cuda ] && options+=(-DDOWNHILL_CUDA=ON "-DCMAKE_CUDA_ARCHITECTURES=$architecture")
  jobs=$(nproc)
  by=${ends[build]}
  if step configure "$by" cmake "${generator[@]}" -S . -B "$work/native" "${options[@]}"; then
    # All at once as far as they compile, so that no core waits; then each by itself, which says what is there.
    on='-k'
    [ -f "$work/native/build.ninja" ] && on='-k0'
    step compile $((by - 12)) cmake --build "$work/native" --parallel "$jobs" --target downhill "$library" bench_gpu_kernels -- $on
    step addon "$by" cmake --build "$work/native" --parallel "$jobs" --target downhill &&
      mkdir -p build/Release && cp "$work/native/downhill.node" build/Release/.new && mv build/Release/.new build/Release/downhill.node
    step library "$by" cmake --build "$work/native" --parallel "$jobs" --target "$library" &&
      cp "$work/native/lib$library.so" build/Release/.new && mv build/Release/.new "build/Release/lib$library.so"
    step kernels "$by" cmake --build "$work/native" --parallel "$jobs" --target bench_gpu_kernels
  fi
  report >/dev/null || true
fi

# ---- test ----------------------------------------------------------------------------------------------------------------

if wanted test; then
  # One after another, since vitest writes its results when it ends: what runs out of time takes none of the others along.
  began=$SECONDS
  for part in devices:45 conformance:75 golden:100; do
    by=$((began + (ends[test] - began) * ${part#*:} / 100))
    step "${part%:*}" "$by" env DOWNHILL_TEST_DEVICES="$device" "$node" node_modules/vitest/vitest.mjs run --project suite \
      --typecheck.enabled=false --reporter=default --reporter=json "--outputFile.json=$logs/tests-${part%:*}.json" \
      "test/${part%:*}/"
  done
  report >/dev/null || true
fi

# ---- sanitize ------------------------------------------------------------------------------------------------------------

if wanted sanitize; then
  sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2>/dev/null)
  half=$(((ends[sanitize] + SECONDS) / 2))
  # It ends by itself before its time is over, however slow a tool makes it, so that the tool can say what it found.
  exercise() { # second by which it must end
    exercising=("$node" --import tsx test/devices/exercise.ts "$device" $((($1 - SECONDS) * 3 / 4)))
  }
  if [ "$device" != cuda ]; then
    exercise "${ends[sanitize]}"
    step exercise "${ends[sanitize]}" "${exercising[@]}"
  elif [ -z "$sanitizer" ]; then
    record sanitize memcheck 'not run' 0 'compute-sanitizer is not installed'
    record sanitize racecheck 'not run' 0 'compute-sanitizer is not installed'
  else
    exercise "$half"
    step memcheck "$half" "$sanitizer" --tool memcheck --error-exitcode 9 --target-processes application-only "${exercising[@]}"
    exercise "${ends[sanitize]}"
    step racecheck "${ends[sanitize]}" "$sanitizer" --tool racecheck --error-exitcode 9 --target-processes application-only "${exercising[@]}"
  fi
  report >/dev/null || true
fi

# ---- bench ---------------------------------------------------------------------------------------------------------------

if wanted bench; then
  if [ "$device" = cuda ] && [ -z "$gpu" ]; then
    record bench bench 'not run' 0 'there is no GPU: nothing was measured'
  else
    step bench "${ends[bench]}" "$node" --import tsx bench/gpu/run.ts --device "$device" --python "$python" \
      --kernels "$work/native/bench_gpu_kernels" --seconds $((ends[bench] - SECONDS - 8)) --json "$logs/bench.json" $tiny
  fi
fi

report || failed=1
exit "$failed"
