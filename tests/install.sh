#!/usr/bin/env bash
# Brings what the whole-system suites need: Debian packages, as few as will do, with no service started by them.
#
#   install.sh             install what is missing (root on Debian); otherwise say what is missing
#   install.sh --missing   only name the packages that are missing, one a line
#   install.sh --bench     also what only `make bench` needs
#
# Exit status: 0, also when something is missing that cannot be installed here: the caller skips what needs it. With
# CI=true something missing is a failure, as is an installation that does not work.
set -euo pipefail

# Command (or file, by its whole path) that is looked for, and the package it comes from.
NEEDS='
dockerd          docker.io
docker           docker-cli|docker.io
docker-registry  docker-registry
busybox          busybox-static
ip               iproute2
iptables         iptables
htpasswd         apache2-utils
unshare          util-linux
nsenter          util-linux
setpriv          util-linux
ps               procps
mkfs.ext4        e2fsprogs
curl             curl
cc               gcc
/usr/include/stdio.h libc6-dev
'

# What only the benchmarks need.
BENCH='
nginx            nginx-light
tc               iproute2
'

POLICY=/usr/sbin/policy-rc.d
SAVED=$POLICY.before-larder-tests
MARK='# written by larder, tests/install.sh, for as long as it runs'

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

is_there() {
  if [[ $1 == /* ]]; then
    [[ -e $1 ]]
    return
  fi
  command -v "$1" >/dev/null || return 1
  # Only a static busybox runs in an image that holds nothing else. (ldd fails on a static program.)
  [[ $1 != busybox ]] || ! ldd "$(command -v busybox)" >/dev/null 2>&1
}

# The packages that are missing, each once. Of alternatives a|b, the first that Debian here has a package for.
missing() {
  local command package
  while read -r command package; do
    if [[ $package == *'|'* ]]; then
      if has_package "${package%%|*}"; then package=${package%%|*}; else package=${package#*|}; fi
    fi
    echo "$package"
  done < <(missing_commands) | sort -u
}

# The lines of NEEDS whose command is missing.
missing_commands() {
  local command package
  while read -r command package; do
    if [[ -n $command ]] && ! is_there "$command"; then echo "$command $package"; fi
  done <<<"$NEEDS"
}

has_package() {
  command -v apt-cache >/dev/null && [[ -n $(apt-cache --quiet search --names-only "^$1\$" 2>/dev/null) ]]
}

# Packages must not start their services: dpkg's scripts ask policy-rc.d, and 101 means no. What stood there before is
# moved aside and back, so it comes back as it was: file or link, owner, mode and all.
forbid_services() {
  if [[ -e $POLICY || -L $POLICY ]]; then mv -f "$POLICY" "$SAVED"; fi
  printf '#!/bin/sh\n%s\nexit 101\n' "$MARK" >"$POLICY"
  chmod 755 "$POLICY"
}

allow_services() {
  if [[ -f $POLICY && ! -L $POLICY ]] && grep -qF "$MARK" "$POLICY"; then rm -f "$POLICY"; fi
  if [[ -e $SAVED || -L $SAVED ]]; then mv -f "$SAVED" "$POLICY"; fi
}

# One at a time: the policy belongs to whoever holds the lock.
lock() {
  exec 9>/run/lock/larder-tests-install
  flock 9
}

# After a run that was killed in the middle.
heal() {
  if [[ -e $SAVED || -L $SAVED ]] || grep -qsF "$MARK" "$POLICY"; then
    lock
    allow_services
  fi
}

install() {
  local status=0
  LOG=$(mktemp)
  lock
  # An interrupt is served once apt has ended, so that no service can start in between.
  trap 'allow_services; rm -f "$LOG"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  forbid_services
  {
    apt-get update --quiet &&
      # Known only after the update on a machine that never had one.
      mapfile -t packages < <(missing) &&
      DEBIAN_FRONTEND=noninteractive apt-get install --quiet --yes --no-install-recommends \
        -o DPkg::Lock::Timeout=120 "${packages[@]}"
  } </dev/null >"$LOG" 2>&1 9>&- || status=$?
  if ((status != 0)); then
    cat "$LOG" >&2
    echo "install.sh: apt-get failed" >&2
  fi
  return "$status"
}

main() {
  local packages commands
  if [[ ${1:-} == --bench ]]; then
    NEEDS+=$BENCH
    shift
  fi
  if [[ $(id -u) == 0 ]]; then heal; fi
  mapfile -t packages < <(missing)
  if [[ ${1:-} == --missing ]]; then
    if ((${#packages[@]})); then printf '%s\n' "${packages[@]}"; fi
    return
  fi
  if ((${#packages[@]} == 0)); then return; fi
  if [[ $(id -u) == 0 && -f /etc/debian_version ]] && command -v apt-get >/dev/null; then
    install
    mapfile -t packages < <(missing)
    if ((${#packages[@]} == 0)); then return; fi
  fi
  mapfile -t commands < <(missing_commands | cut -d ' ' -f 1)
  echo "install.sh: missing: ${commands[*]} (Debian packages: ${packages[*]})"
  if [[ ${CI:-} == true ]]; then return 1; fi
}

main "$@"
