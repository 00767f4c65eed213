#!/bin/sh
# Plays larder-hub or larder-agent for the rig's own tests: a web server with a readiness page and two metrics, at the
# last "addr" of a hub's configuration (its debug server) or at --metrics of an agent. It ends by SIGTERM with 0.
case $1 in
  serve)
    at=$(sed -n 's/.*"addr": "\(.*\)".*/\1/p' "$3" | tail -n 1)
    pages=$(dirname "$3")/pages
    ;;
  run)
    pages=/run/stand-in-pages
    while [ "$1" != --metrics ]; do shift; done
    at=$2
    ;;
esac
mkdir -p "$pages"
echo yes >"$pages/readyz"
printf 'larder_things{kind="a"} 2\nlarder_things{kind="b"} 3\n' >"$pages/metrics"
echo "stand-in at $at, sees $(cat /run/docker.pid 2>/dev/null), knows $(grep -c registry.example /etc/hosts)"
busybox httpd -f -p "$at" -h "$pages" &
server=$!
trap 'kill "$server"; exit 0' TERM
wait
