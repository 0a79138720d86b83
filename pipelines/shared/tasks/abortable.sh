#!/usr/bin/env bash
# Runs a task's script ($1) so that an abort stops what it runs, as Ctrl-C would, and waits for its end. Concourse sends SIGTERM
# to this shell alone, hangs up the terminal when this shell ends, and kills everything after 10 s: without this, helm and
# Terraform die before they have cleaned up. An abort is passed on once: at a second one Terraform drops its work.
set -euo pipefail

trap 'trap "" INT TERM; kill -INT -- "-$!"' INT TERM
set -m # the script gets a process group of its own
(trap '' TTIN TTOU && exec bash -c "$1" "$0") </dev/null &
task=$! status=0
set +m
wait "$task" || status=$?
while kill -0 "$task" 2>/dev/null; do # it was a signal that ended the wait
  status=0
  wait "$task" || status=$?
done
exit "$status"
