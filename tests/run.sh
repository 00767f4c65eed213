#!/usr/bin/env bash
# Runs the whole-system suites, each an integration test of larder-tests, and ends with one line of totals.
#
#   run.sh             all suites
#   run.sh SUITE…      these
#
# A suite that this machine cannot run is skipped, and named with what it lacks. With CI=true that is a failure.
set -euo pipefail
cd "$(dirname "$0")/.."

# Suite, and what it needs: root, devices, and packages by the names install.sh gives them.
SUITES='
rig  root docker.io docker-cli docker-registry busybox-static iproute2 apache2-utils util-linux procps
first_light  root docker.io docker-cli docker-registry busybox-static iproute2 apache2-utils util-linux procps
bad_input  root docker.io docker-cli docker-registry busybox-static iproute2 apache2-utils util-linux procps
demo  root docker.io docker-cli docker-registry busybox-static iproute2 apache2-utils util-linux procps curl
drop_in  root docker-registry busybox-static iproute2 apache2-utils util-linux procps
disks  root docker.io docker-cli docker-registry busybox-static iproute2 apache2-utils util-linux procps e2fsprogs /dev/fuse /dev/loop-control
killed  root docker.io docker-cli docker-registry busybox-static iproute2 apache2-utils util-linux procps
'

MISSING=$(tests/install.sh --missing)
if [[ $(id -u) != 0 ]]; then MISSING+=$'\nroot'; fi
for device in /dev/fuse /dev/loop-control; do
  if [[ ! -c $device ]]; then MISSING+=$'\n'$device; fi
done

# What a suite lacks, of all it needs.
lacks() {
  local need lacking=()
  for need in "$@"; do
    if grep -qxF -- "$need" <<<"$MISSING"; then lacking+=("$need"); fi
  done
  echo "${lacking[*]}"
}

main() {
  local passed=0 failed=0 skipped=() suite needs lacking start status chosen=("$@")
  for suite in "${chosen[@]}"; do
    if ! grep -q "^$suite " <<<"$SUITES"; then
      echo "run.sh: there is no suite $suite" >&2
      return 2
    fi
  done
  while read -r suite needs; do
    if [[ -z $suite ]]; then continue; fi
    if ((${#chosen[@]})) && [[ " ${chosen[*]} " != *" $suite "* ]]; then continue; fi
    # shellcheck disable=SC2086 # the needs are words
    lacking=$(lacks $needs)
    if [[ -n $lacking ]]; then
      skipped+=("$suite: needs ${lacking// /, }")
      continue
    fi
    status=0
    # Built first, so that the time is the suite's own.
    cargo test --quiet -p larder-tests --test "$suite" --no-run </dev/null || status=$?
    start=$SECONDS
    if ((status == 0)); then cargo test -p larder-tests --test "$suite" </dev/null || status=$?; fi
    if ((status == 0)); then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    echo "suite $suite: $([[ $status == 0 ]] && echo passed || echo FAILED), $((SECONDS - start)) s"
  done <<<"$SUITES"
  if ((${#skipped[@]})); then printf 'skipped %s\n' "${skipped[@]}"; fi
  local names=("${skipped[@]%%:*}")
  echo "suites: $passed passed, $failed failed, ${#skipped[@]} skipped${names[*]:+ (${names[*]})}"
  if ((failed > 0)); then return 1; fi
  if ((${#skipped[@]} > 0)) && [[ ${CI:-} == true ]]; then return 1; fi
}

main "$@"
